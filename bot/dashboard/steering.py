"""The buttons of a workflow: every verb of its management, each a form that is sent to `/workflows/ID/VERB`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote
from uuid import uuid4

from bot.api.json import read_json
from bot.api.management import Management
from bot.dashboard.pages import Act, Asked, Done, Mistyped, Pages, Refused, View
from durable.model import WorkflowState
from durable.postgres.inspection import RunDetail
from durable.postgres.steering import ENDED, OPEN
from handlers.records.schema import storable

Again = Callable[[Asked, Mapping[str, str]], View]
_SUBJECT = "workflow_id"
_ALIVE: tuple[WorkflowState, ...] = (*OPEN, "paused")
_ANY: tuple[WorkflowState, ...] = (*_ALIVE, *ENDED)


@dataclass(frozen=True)
class Verb:
    """What may be done to a workflow in one of `states`. `details` are the form's fields that the audit keeps."""

    name: str
    states: tuple[WorkflowState, ...]
    details: tuple[str, ...] = ()


VERBS = (
    Verb("signal", _ALIVE, ("name",)),
    Verb("suspend", OPEN, ("reason",)),
    Verb("resume", ("paused",)),
    Verb("rewind", ("failed",), ("step", "reason")),
    Verb("relaunch", _ANY),
    Verb("restart", ENDED, ("new_id",)),
    Verb("fork", _ANY, ("step", "new_id")),
    Verb("cancel", _ALIVE, ("reason",)),
    Verb("terminate", _ALIVE, ("reason",)),
    Verb("purge", ENDED),
)


def offered(run: RunDetail, *, is_flow: bool) -> frozenset[str]:
    """The verbs that make sense for this run now. What is done concerns the present run alone."""
    if not run.is_present:
        return frozenset()
    fitting = {verb.name for verb in VERBS if run.state in verb.states}
    if not is_flow:
        fitting.discard("relaunch")
    if not run.history_length:
        fitting.discard("fork")
    return frozenset(fitting)


def add(pages: Pages, management: Management, again: Again) -> None:
    """Add their routes. `again` shows a workflow's page with what was typed."""
    does = _Steering(management, again)
    for verb in VERBS:
        do: Callable[[Asked, str], Done] = getattr(does, verb.name)
        pages.act(f"/workflows/{{{_SUBJECT}}}/{verb.name}", Act(verb.name, _guarded(do), _SUBJECT, verb.details))


def _guarded(do: Callable[[Asked, str], Done]) -> Callable[[Asked], Done]:
    """What PostgreSQL cannot store, or an id cannot be, is refused like everything that is not done."""

    def guarded(asked: Asked) -> Done:
        workflow_id = asked.parameters[_SUBJECT]
        if storable(workflow_id) != workflow_id:
            raise Refused("No workflow has this id.")
        try:
            return do(asked, workflow_id)
        except ValueError as problem:
            raise Refused(str(problem)) from problem

    return guarded


class _Steering:
    """One method for each verb."""

    def __init__(self, management: Management, again: Again) -> None:
        self._again = again
        self._client = management.client
        self._operator = management.operator
        self._runs = management.runs

    def signal(self, asked: Asked, workflow_id: str) -> Done:
        name = storable(asked.text("name"))
        if not name:
            raise Refused("A signal needs a name: the one that the workflow waits for.")
        payload = asked.text("payload")
        try:
            content = read_json(payload.encode("utf-8", "replace")) if payload else None
        except ValueError as problem:
            typed = {"name": name, "payload": payload}
            told = f"The payload is no JSON: {problem}. Write a text in quotes."
            raise Mistyped(told, self._again(asked, typed)) from problem
        self._client.signal(workflow_id, name, content, key=f"dashboard-{uuid4().hex}")
        return Done(f"The signal {name} is sent.")

    def suspend(self, asked: Asked, workflow_id: str) -> Done:
        self._operator.suspend(workflow_id, _reason(asked))
        return Done("It is paused until somebody resumes it.")

    def resume(self, _: Asked, workflow_id: str) -> Done:
        self._operator.resume(workflow_id)
        return Done("It goes on.")

    def rewind(self, asked: Asked, workflow_id: str) -> Done:
        step = _step(asked.text("step")) if asked.text("step") else None
        self._operator.rewind(workflow_id, _reason(asked), step=step)
        return Done("It goes on from its failed step." if step is None else f"It goes on from step {step}.")

    def restart(self, asked: Asked, workflow_id: str) -> Done:
        started = self._operator.restart(workflow_id, new_id=asked.text("new_id") or None)
        told = f"Run {started.run} has begun." if started.workflow_id == workflow_id else "Begun with the same input."
        return Done(told, page_of(started.workflow_id))

    def fork(self, asked: Asked, workflow_id: str) -> Done:
        step, new_id = _step(asked.text("step")), asked.text("new_id")
        self._operator.fork(workflow_id, step, new_id)
        return Done(f"Begun from step {step} of {workflow_id}.", page_of(new_id))

    def cancel(self, asked: Asked, workflow_id: str) -> Done:
        if not self._client.cancel(workflow_id, _reason(asked)):
            raise Refused("It was asked to end before, and is still at it.")
        return Done("It is asked to end, and may clean up.")

    def terminate(self, asked: Asked, workflow_id: str) -> Done:
        self._client.terminate(workflow_id, _reason(asked))
        return Done("It is ended.")

    def purge(self, _: Asked, workflow_id: str) -> Done:
        self._operator.purge(workflow_id)
        return Done(f"{workflow_id} is forgotten.", "/workflows")

    def relaunch(self, _: Asked, workflow_id: str) -> Done:
        return Done("Begun with the same payload.", page_of(self._runs.relaunch(workflow_id)))


def page_of(workflow_id: str) -> str:
    """The address of a workflow's page."""
    return f"/workflows/{quote(workflow_id, safe=':@~')}"


def _reason(asked: Asked) -> str:
    reason = storable(asked.text("reason"))
    if not reason:
        raise Refused("Say why: the reason is shown with the workflow.")
    return reason


def _step(given: str) -> int:
    if not (given.isascii() and given.isdigit() and len(given) < 10):
        raise Refused("Say from which step: its number in the history.")
    return int(given)
