"""Each transition of the state machine, driven through the public API, as a trigger on the real table sees it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from durable import Park, RetryPolicy, activity, continue_as_new, info, receive, resource, sleep, start_child, workflow
from durable.client import Client
from durable.errors import WorkflowNotFound
from durable.operator import Operator
from durable.postgres import Database
from durable.postgres.scheduling import LONGEST_S
from durable.testing import InlineWorker, advance
from durable.transitions import (
    ABSENT,
    CANCELLED,
    COMPLETED,
    ENDS,
    FAILED,
    PARKED,
    PAUSED,
    RUNNING,
    TERMINATED,
    TRANSITIONS,
    WAITING,
    Transition,
)
from durable.worker.session import MOST_ATTEMPTS
from durable.worker.upkeep import Upkeep

ID = "w"
A_LONG_TIME = timedelta(days=31)
RECORD = """
CREATE TABLE public.seen (id bigserial, before text, after text, run integer);
CREATE FUNCTION public.see() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN INSERT INTO public.seen (before, after, run) VALUES ('[*]', NEW.state, NEW.run);
    ELSIF TG_OP = 'DELETE' THEN INSERT INTO public.seen (before, after, run) VALUES (OLD.state, '[*]', OLD.run);
    ELSE INSERT INTO public.seen (before, after, run) VALUES (OLD.state, NEW.state, NEW.run);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER see AFTER INSERT OR UPDATE OR DELETE ON durable.workflows FOR EACH ROW EXECUTE FUNCTION public.see();
"""


class Death(BaseException):
    """A worker's end, as abrupt as a test in one process can make it."""


@dataclass
class Fate:
    """What the activity of the next run is to do."""

    act: Callable[[], Any]


@activity(retry=RetryPolicy(first=60))
def meet_fate() -> None:
    resource(Fate).act()


@workflow
def living(then: str) -> str:
    match then:
        case "listen":
            receive("go")
        case "sleep":
            sleep(3600)
        case "raise":
            raise KeyError(then)
        case "again":
            continue_as_new("return")
        case "meet fate":
            meet_fate()
    return then


@workflow
def failing_parent() -> None:
    start_child(living, "listen", workflow_id=ID)
    raise KeyError("beside its child")


class Stage:
    """One workflow on a database, and a worker that can be replaced."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.client = Client(database)
        self.operator = Operator(database)
        self.fate = Fate(lambda: None)
        self.worker = self.hire()

    def hire(self) -> InlineWorker:
        return InlineWorker(self.database, workflows=[living, failing_parent], resources={Fate: self.fate})

    def start(self, then: str) -> None:
        self.client.start(living, then, workflow_id=ID)

    def run(self) -> None:
        self.worker.run_until_idle()

    def send(self, *, key: str) -> None:
        self.client.signal_with_start(living, "return", workflow_id=ID, signal="go", key=key)

    def die_on_it(self) -> None:
        """Run, die in the middle, and let the successor find what is left."""
        self.fate.act = _die
        with pytest.raises(Death):
            self.run()
        self.worker.close()
        self.worker = self.hire()

    def pause(self) -> None:
        self.start("listen")
        self.run()
        with self.database.transaction("test") as connection:
            connection.execute(text("UPDATE durable.history SET kind = 'activity', name = 'gone'"))
        self.client.signal(ID, "go", key="1")
        self.run()

    def park(self) -> None:
        self.fate.act = _refuse
        self.start("meet fate")
        self.run()

    def reach(self, state: str) -> None:
        """Bring the workflow into a state that lasts."""
        if state == PARKED:
            self.park()
        elif state == PAUSED:
            self.pause()
        elif state != ABSENT:
            self.start({FAILED: "raise", COMPLETED: "return"}.get(state, "listen"))
            self.run()
        if state == TERMINATED:
            self.client.terminate(ID, "no need")
        if state == CANCELLED:
            self.client.cancel(ID, "no need")
            self.run()

    def reach_with_a_parent(self) -> None:
        """Bring the workflow to its end by that of its parent."""
        self.client.start(failing_parent, workflow_id="parent")
        self.run()

    def state(self) -> str:
        try:
            state = self.client.describe(ID).state
        except WorkflowNotFound:
            return ABSENT
        return WAITING if state == "ready" else state

    def seen(self) -> list[tuple[str, str]]:
        with self.database.reading() as connection:
            return [(row.before, row.after) for row in connection.execute(text("SELECT * FROM seen ORDER BY id"))]


def _die() -> None:
    raise Death


def _refuse() -> None:
    raise Park("slack", "invalid_auth")


def _fail() -> None:
    raise OSError("not now")


def _terminate_while_running(stage: Stage) -> None:
    stage.fate.act = lambda: stage.client.terminate(info().workflow_id, "at once")
    stage.start("meet fate")
    stage.run()


def _suspend_while_running(stage: Stage) -> None:
    stage.fate.act = lambda: stage.operator.suspend(info().workflow_id, "maintenance")
    stage.start("meet fate")
    stage.run()


def _meet(fate: Callable[[], None]) -> Callable[[Stage], None]:
    def drive(stage: Stage) -> None:
        stage.fate.act = fate
        stage.start("meet fate")
        stage.run()

    return drive


def _run(then: str) -> Callable[[Stage], None]:
    def drive(stage: Stage) -> None:
        stage.start(then)
        stage.run()

    return drive


def _stop_in_the_middle(stage: Stage) -> None:
    stage.start("meet fate")
    stage.die_on_it()


def _die_too_often(stage: Stage) -> None:
    stage.start("meet fate")
    for _ in range(MOST_ATTEMPTS):
        stage.die_on_it()
        advance(stage.database, timedelta(seconds=LONGEST_S))
    stage.run()


def _continue(stage: Stage) -> None:
    _run("again")(stage)
    assert stage.client.describe(ID).run == 2


def _end_with_an_unread_start(stage: Stage) -> None:
    stage.fate.act = lambda: stage.send(key="meanwhile")
    stage.start("meet fate")
    stage.run()


def _prune(stage: Stage) -> None:
    advance(stage.database, A_LONG_TIME)
    Upkeep(stage.database, stage.worker._lease, on_due=lambda: None).prune()


FROM_A_STATE_THAT_LASTS: dict[str, Callable[[Stage], object]] = {
    "start": lambda stage: stage.start("listen"),
    "signal with start": lambda stage: stage.send(key="new"),
    "signal": lambda stage: stage.client.signal(ID, "go", key="new"),
    "gate opens": lambda stage: stage.client.open_gate("slack"),
    "resume": lambda stage: stage.client.resume(ID),
    "terminate": lambda stage: stage.client.terminate(ID, "no need"),
    "cancel": lambda stage: stage.client.cancel(ID, "no need"),
    "suspend": lambda stage: stage.operator.suspend(ID, "maintenance"),
    "rewind": lambda stage: stage.operator.rewind(ID, "mended"),
    "rewind of its parent": lambda stage: stage.operator.rewind("parent", "mended"),
    "restart": lambda stage: stage.operator.restart(ID),
    "purge": lambda stage: stage.operator.purge(ID),
    "prune": _prune,
}
WHILE_RUNNING: dict[str, Callable[[Stage], object]] = {
    "sleep or receive": _run("sleep"),
    "retry later": _meet(_fail),
    "worker stops or dies": _stop_in_the_middle,
    "continue as new": _continue,
    "dependency refuses": _meet(_refuse),
    "code diverges": Stage.pause,
    "too many deaths": _die_too_often,
    "return": _run("return"),
    "raise": _run("raise"),
    "end with an unread start": _end_with_an_unread_start,
    "end when cancelled": lambda stage: stage.reach(CANCELLED),
    "suspend": _suspend_while_running,
    "terminate": _terminate_while_running,
}


@pytest.fixture
def stage(database: Database) -> Iterator[Stage]:
    with database.transaction("test") as connection:
        connection.execute(text(RECORD))
    stage = Stage(database)
    yield stage
    stage.worker.close()


def _row_state(state: str) -> str:
    return "closed" if state in ENDS else state


@pytest.mark.parametrize("transition", sorted(TRANSITIONS), ids=lambda one: f"{one.before}, {one.event}")
def test_each_transition_happens_on_a_database(stage: Stage, transition: Transition) -> None:
    before, event, after = transition
    if event == "claim":
        stage.start("return")
        assert stage.state() == before
        stage.run()
        assert stage.seen()[1] == (before, after)
        return
    if before == RUNNING:
        WHILE_RUNNING[event](stage)
    else:
        stage.reach_with_a_parent() if event == "rewind of its parent" else stage.reach(before)
        assert stage.state() == before
        FROM_A_STATE_THAT_LASTS[event](stage)
        assert stage.state() == after
    assert (_row_state(before), _row_state(after)) in stage.seen()
    if after in ENDS | {PARKED, PAUSED}:
        assert stage.state() == after
    changes = {(one, other) for one, other in stage.seen() if one != other}
    assert changes <= {(_row_state(one), _row_state(other)) for one, _, other in TRANSITIONS}
