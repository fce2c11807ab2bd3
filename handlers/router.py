"""What a delivery of GitHub leads to: the watch it begins, the watch it is told to, or nothing."""

from collections.abc import Sequence

from sqlalchemy import Connection

from config.policy import Policy
from durable.intake import Delivery, Ignore, Instruction, Router, SendSignal, SignalWithStart, Unroutable
from handlers.records.pull_requests import Watched, watched
from handlers.watch import watch_pull_request
from handlers.watch_state import Watch, may_begin
from integrations.github.api import GitHubEvent, UnusedEvent
from integrations.github.webhook import MalformedDelivery, parse

SIGNAL = "github"


def github_router(policy: Policy) -> Router:
    """The router of GitHub's deliveries. A delivery it cannot read is `Unroutable` and kept as failed."""

    def route(delivery: Delivery, connection: Connection) -> Sequence[Instruction]:
        try:
            event = parse(delivery.headers.get("x-github-event", ""), delivery.id, delivery.body)
        except MalformedDelivery as problem:
            raise Unroutable(str(problem)) from problem
        known = None if isinstance(event, UnusedEvent) else watched(connection, event.pull_request.ref)
        return [instruction_for(event, known, policy)]

    return route


def instruction_for(event: GitHubEvent, known: Watched | None, policy: Policy) -> Instruction:
    """The decision. `known` is the watch the records have of this pull request, under whatever name: a rename or a
    transfer opens no second channel."""
    if isinstance(event, UnusedEvent):
        return Ignore(event.reason)
    pull_request = event.pull_request
    repository = f"{pull_request.ref.owner}/{pull_request.ref.repo}"
    if not policy.watches(repository):
        return Ignore(f"the policy does not watch {repository}")
    workflow_id = known.workflow_id if known else pull_request.ref.workflow_id
    if not may_begin(event.action, pull_request, known.outcome if known else None, known=known is not None):
        return SendSignal(workflow_id, SIGNAL, event)
    state = Watch(workflow_id, pull_request, event.action)
    return SignalWithStart(watch_pull_request, (state,), workflow_id, SIGNAL, event)
