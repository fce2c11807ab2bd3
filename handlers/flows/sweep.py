"""The task that makes good for pull requests of which no delivery arrived: what is open at GitHub is watched."""

from datetime import timedelta
from typing import Any

from config.policy import Policy
from durable import heartbeat, resource
from durable.flows import task
from handlers.flows.watches import Watches
from handlers.outside import PATIENT, github, steering
from handlers.records.pull_requests import Repository
from integrations.github.api import Forbidden, NotFound

LONGEST_S = 600.0
"""For one repository: a heartbeat follows each."""
ON_ITS_WAY = timedelta(minutes=5)
"""A pull request is older than its watch by what its delivery took, and GitHub's times are whole seconds."""


@task("SWEEP_MISSED", retry=PATIENT, timeout=LONGEST_S)
@steering()
def watch_what_was_missed(*_args: Any, **_: Any) -> str:
    """Of every repository that the policy watches and the records know, begin what is open, was opened since the first
    watch there and is not watched. What is older than that waits for a delivery, as ever: nobody asked for a hundred
    channels. Safe to repeat."""
    policy, watches = resource(Policy), resource(Watches)
    begun: list[str] = []
    unread: list[str] = []
    repositories = [each for each in watches.repositories() if policy.watches(f"{each.owner}/{each.repo}")]
    for repository in repositories:
        try:
            begun += _begin(repository, watches)
        except (NotFound, Forbidden) as problem:
            unread.append(str(problem))
        heartbeat()
    told = f"{len(begun)} begun: {', '.join(begun)}" if begun else "none was missed"
    many = "1 repository" if len(repositories) == 1 else f"{len(repositories)} repositories"
    return "; ".join([f"{many}, {told}", *unread])


def _begin(repository: Repository, watches: Watches) -> list[str]:
    found = github().open_pull_requests(repository.owner, repository.repo)
    since = repository.since - ON_ITS_WAY
    missed = [each for each in found if each.ref.host.lower() == repository.host and each.created_at >= since]
    return [str(each.ref) for each in missed if watches.begin_missed(each)]
