"""Pull requests that are watched since long without anybody having opened them: what a board needs to be full."""

from datetime import datetime, timedelta
from typing import Any

from durable.client import Client
from durable.postgres import Database
from handlers.asks import SIGNALS, Snooze
from handlers.records.pull_requests import pull_requests
from handlers.turns import Reason, Turn
from handlers.watch import watch_pull_request
from handlers.watch_state import Guest, Watch
from integrations.github.api import Person, PullRequest, PullRequestRef

PEOPLE = tuple(Person(login) for login in ("ada", "grace", "margaret", "linus", "barbara", "octocat"))
_REASONS: tuple[Reason, ...] = ("review_requested", "changes_requested", "review_requested", "approved", "pushed")
_TITLES = ("Add a cache", "Retry what Slack refuses", "Read the policy once", "Say whose turn it is", "Keep the order")


def watch_of(number: int, now: datetime, *, repository: str = "acme/api", **changes: Any) -> Watch:
    """The state of a watch that has been on for a while; `changes` are those of the watch."""
    owner, _, repo = repository.partition("/")
    ref = PullRequestRef("github.com", owner, repo, number, sum(map(ord, repository)))
    author, asked = PEOPLE[number % 5], PEOPLE[(number + 1) % 6]
    reason = _REASONS[number % 5]
    pull_request = PullRequest(
        ref=ref,
        title=f"{_TITLES[number % 5]}, part {number}",
        url=f"https://github.com/{repository}/pull/{number}",
        author=author,
        state="open",
        merged=False,
        draft=False,
        private=False,
        created_at=now - timedelta(days=2),
        updated_at=now,
        head_ref="cache",
        head_sha="f" * 40,
        base_ref="main",
    )
    whose = Turn((asked,) if reason in ("review_requested", "pushed") else (author,), (), reason)
    state: dict[str, Any] = {
        "phase": "watching",
        "signals": SIGNALS,
        "people": (Guest(author.login, None),),
        "channel_id": f"C{number:08d}",
        "channel_name": f"pr-{repo}-{number}-add-a-cache",
        "turn": whose,
        "waiting_since": now - timedelta(minutes=7 * number % 4000),
        "reminders_sent": number % 9,
        "next_reminder_at": now + timedelta(minutes=number % 60, seconds=30),
    }
    return Watch(ref.workflow_id, pull_request, "opened", **(state | changes))


def snoozed(now: datetime) -> dict[str, Any]:
    """The changes of a watch that somebody asked to be quiet."""
    until = now + timedelta(hours=4)
    return {"snooze": Snooze(until, "ada", now), "next_reminder_at": until}


def put(database: Database, *states: Watch) -> None:
    """Note these pull requests and begin their watches; a worker that runs until it is idle lets them fall asleep."""
    client = Client(database)
    with database.transaction("test") as connection:
        for state in states:
            ref = state.pull_request.ref
            named = {"owner": ref.owner, "repo": ref.repo, "title": state.pull_request.title}
            connection.execute(
                pull_requests.insert().values(
                    workflow_id=state.workflow_id,
                    host=ref.host,
                    repository_id=ref.repository_id,
                    number=ref.number,
                    url=state.pull_request.url,
                    **named,
                )
            )
    for state in states:
        client.start(watch_pull_request, state, workflow_id=state.workflow_id)
