"""Whatever is done to workflows, in whatever order, they stand where a small model of the engine says they must.

The model is `tests/support/model`; what the workflows do is drawn, too: plans of a few lines each.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from functools import partial
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text

from durable import DurableError
from durable.operator import Operator
from durable.postgres import Database
from durable.testing import InlineWorker, advance
from tests.support.chaos import IS_LONG, Figure, sized
from tests.support.model import asking
from tests.support.model.drawn import HOURS, plans
from tests.support.model.lives import Family, Sent
from tests.support.model.looks import look, look_at, notes_in
from tests.support.model.moves import reachable
from tests.support.model.plans import SET_UP, Do, Hear, Outside, Plan, Side, follow
from tests.support.puppet import Puppet, Strings

ROOTS = st.sampled_from(["a", "b"])
WORKERS = st.sampled_from([0, 1])
PERHAPS_HOURS = st.integers(0, 2)
NAMES = st.sampled_from(["go", "stop"])
KEYS = st.integers(0, 11).map(str)
WHO = st.integers(0, 7)
POINTS = st.integers(1, 12)

A_MOMENT = timedelta(seconds=2)
"""Longer than an effect in doubt is given to settle; half an hour of them make no hour."""
PUT_OFF_NO_MORE = text("UPDATE durable.workflows SET wake_at = durable.now() WHERE state = 'waiting' AND attempts > 1")
"""The model counts hours, and knows nothing of the seconds that a workflow waits whose workers died."""
MOST_DEATHS = 4
"""In a row: a workflow that kills its worker ten times is paused."""


class Engine(RuleBasedStateMachine):
    """Two workers on strings, two families, and what is known of each: the states it may be in."""

    def __init__(self, database: Database, strings: Strings, figures: Counter[str]) -> None:
        super().__init__()
        self.database, self.figures, self.strings = database, figures, strings
        self.outside = Outside()
        self.keeper = self.new_worker()
        self.client, self.operator = self.keeper.client, Operator(database)
        self.puppets = [strings.attach(self.new_worker()) for _ in range(2)]
        self.dead: list[Puppet] = []
        self.known: dict[str, frozenset[Family]] = {root: frozenset([Family()]) for root in ("a", "b")}
        self.since = advance(database, timedelta())
        self.now = self.deed = self.deaths = 0

    @initialize(plan=plans, other=plans)
    def begin(self, plan: Plan, other: Plan) -> None:
        self.start("a", plan, replacing=False)
        self.start("b", other, replacing=False)

    def new_worker(self) -> InlineWorker:
        return InlineWorker(self.database, workflows=[follow], resources={Outside: self.outside}, guard=False)

    # --- what is asked from outside ---------------------------------------------------------------------------------

    @rule(root=ROOTS, plan=plans, replacing=st.sampled_from([False, False, False, True]))
    def start(self, root: str, plan: Plan, replacing: bool) -> None:
        def ask() -> Any:
            reuse: Any = "terminate" if replacing else "allow_closed"
            started = self.client.start(follow, plan, [], workflow_id=root, reuse=reuse)
            return started.run, started.is_new

        self.ask(root, ask, lambda f: asking.start(f, root, plan, self.now, self.deed, replacing=replacing))

    @rule(root=ROOTS, plan=plans, name=NAMES, key=KEYS)
    def signal_with_start(self, root: str, plan: Plan, name: str, key: str) -> None:
        def ask() -> Any:
            return self.client.signal_with_start(follow, plan, [], workflow_id=root, signal=name, key=key)

        sent = Sent(key, name, self.deed, plan)
        self.ask(root, ask, lambda f: asking.signal_with_start(f, root, sent, self.now))

    @rule(who=WHO, name=NAMES, key=KEYS)
    def signal(self, who: int, name: str, key: str) -> None:
        id_, sent = self.one(who), Sent(key, name, self.deed)
        self.ask(id_, lambda: self.client.signal(id_, name, key=key), lambda f: asking.signal(f, id_, sent, self.now))

    @rule(who=WHO, verb=st.sampled_from(["cancel", "suspend", "resume", "terminate"]))
    def steer(self, verb: str, who: int) -> None:
        id_ = self.one(who)
        match verb:
            case "cancel":
                self.ask(
                    id_, lambda: self.client.cancel(id_, "please"), lambda f: asking.cancel(f, id_, "please", self.now)
                )
            case "suspend":
                self.ask(id_, lambda: self.operator.suspend(id_, "wait"), lambda f: asking.suspend(f, id_))
            case "resume":
                self.ask(id_, lambda: self.operator.resume(id_), lambda f: asking.resume(f, id_, self.now))
            case _:
                self.ask(id_, lambda: self.client.terminate(id_, "go"), lambda f: asking.terminate(f, id_, self.now))

    def ask(self, id_: str, really: Callable[[], Any], model: Callable[[Family], asking.Asked]) -> None:
        """Ask both; only those states are possible whose answer is the one that came."""
        try:
            answer = really()
        except DurableError as error:
            answer = type(error).__name__
        root = id_.partition("~")[0]
        answers = [model(family) for family in self.known[root]]
        self.known[root] = frozenset(family for expected, family in answers if expected == answer)
        assert self.known[root], f"answered {answer!r}, expected {[expected for expected, _ in answers]}"

    def one(self, who: int) -> str:
        """The id of a workflow, of one that lives unless `who` is 0."""
        lives = {life.id: life.is_closed for families in self.known.values() for f in families for life in f.lives}
        living = [id_ for id_, is_closed in lives.items() if not is_closed or who == 0] or list(lives)
        return sorted(living)[who % len(living)]

    # --- workers and time -------------------------------------------------------------------------------------------

    @rule(hours=HOURS)
    def time_passes(self, hours: int) -> None:
        advance(self.database, timedelta(hours=hours))
        self.now += hours

    @rule(hours=PERHAPS_HOURS, which=WORKERS)
    def work_to_the_end(self, hours: int, which: int) -> None:
        self.time_passes(hours)
        self.work(which, None)

    @rule(hours=PERHAPS_HOURS, which=WORKERS, points=POINTS)
    def work_and_stand_still(self, hours: int, which: int, points: int) -> None:
        self.time_passes(hours)
        self.work(which, points)

    @precondition(lambda self: self.deaths < MOST_DEATHS)
    @rule(hours=PERHAPS_HOURS, which=WORKERS, points=POINTS)
    def work_and_die(self, hours: int, which: int, points: int) -> None:
        self.time_passes(hours)
        self.work(which, points, dies=True)

    def work(self, which: int, points: int | None, *, dies: bool = False) -> None:
        puppet = self.puppets[which]
        advance(self.database, A_MOMENT)
        puppet.run(points, dies=dies)
        interrupted = puppet.is_dead or puppet.standing is not None
        claims = puppet.name not in self.outside.overtaken
        for root, families in self.known.items():
            ways = [reachable(f, puppet.name, self.now, self.deed, may_claim=claims) for f in families]
            self.known[root] = frozenset().union(*(way[0] if interrupted else way[1] for way in ways))
        self.figures[
            f"{'killed' if puppet.is_dead else 'interrupted' if interrupted else 'completed'} passes of workers"
        ] += 1
        if puppet.is_dead or not (claims or interrupted):
            self.bury(which)
        elif not interrupted and self.puppets[1 - which].standing is None:
            self.deaths = 0

    @precondition(lambda self: any(puppet.standing for puppet in self.puppets))
    @rule(which=WORKERS)
    def is_taken_for_dead(self, which: int) -> None:
        """A worker that stands still loses its lease, and what it held; it does not know yet."""
        which = which if self.puppets[which].standing else 1 - which
        self.outside.overtaken.add(self.puppets[which].name)
        self.take_over([self.puppets[which]])

    @precondition(lambda self: self.dead)
    @rule()
    def deaths_are_noticed(self) -> None:
        self.take_over(self.dead)
        self.dead = []

    @precondition(lambda self: any(any(asking.orphans(f)) for families in self.known.values() for f in families))
    @rule()
    def orphans_are_seen_to(self) -> None:
        self.keeper._upkeep.settle_orphans()
        self.map(self._without_orphans)

    def _without_orphans(self, family: Family) -> Family:
        for id_, policy in list(asking.orphans(family)):
            family = asking.no_longer_needed(family, id_, policy, self.now)
        return family

    def take_over(self, puppets: list[Puppet]) -> None:
        self.deaths += 1
        with self.database.transaction("test") as connection:
            ended = "UPDATE durable.workers SET lease_until = clock_timestamp() WHERE id = ANY(:ids)"
            connection.execute(text(ended), {"ids": [puppet.worker._lease.worker for puppet in puppets]})
        self.keeper.take_over()
        with self.database.transaction("test") as connection:
            connection.execute(PUT_OFF_NO_MORE)
        for puppet in puppets:
            self.map(partial(asking.taken_away, worker=puppet.name, now=self.now))

    def bury(self, which: int) -> None:
        """Another worker comes in its place; what it had in its hands waits until somebody notices."""
        puppet = self.puppets[which]
        puppet.bury()
        self.dead.append(puppet)
        self.map(lambda family: family.without_chores_of(puppet.name))
        self.puppets[which] = self.strings.attach(self.new_worker())

    def map(self, change: Callable[[Family], Family]) -> None:
        self.known = {root: frozenset(map(change, families)) for root, families in self.known.items()}

    # --- what must be true ------------------------------------------------------------------------------------------

    @invariant()
    def the_model_agrees(self) -> None:
        self.deed += 1
        self.figures["deeds"] += 1
        seen = look_at(self.database, self.since)
        for root, families in self.known.items():
            agreeing = frozenset(family for family in families if look(family, self.now) == seen.get(root, {}))
            assert agreeing, _difference(seen.get(root, {}), (look(family, self.now) for family in families))
            self.known[root] = agreeing
            self.each_effect_happened_once(root)

    def each_effect_happened_once(self, root: str) -> None:
        assert self.outside.twice == []
        made = {key for key in self.outside.happened if _root_of(key) == root}
        noted = [key for key in notes_in(self.database) if _root_of(key) == root]
        expected = [(f.made, f.made | f.may_have_happened(), sorted(f.noted)) for f in self.known[root]]
        assert any(least <= made <= most and noted == notes for least, most, notes in expected), (made, noted, expected)

    def teardown(self) -> None:
        self.figures["effects"] += len(self.outside.happened)
        self.figures["repeated in the window that the guarantees state"] += self.outside.excused.total()
        for puppet in self.puppets:
            puppet.bury()
        self.keeper._lease.stop()
        with self.database.transaction("test") as connection:
            connection.execute(text("DELETE FROM durable.workflows; DELETE FROM durable.workers; DELETE FROM notes"))


def _root_of(key: str) -> str:
    return key.partition("/")[0].partition("~")[0]


def _difference(seen: Any, expected: Iterable[Any]) -> str:
    return "\n".join([f"seen     {seen}", *(f"expected {each}" for each in expected)])


@pytest.fixture
def new_engine(database: Database) -> Iterator[Callable[[Counter[str]], Engine]]:
    """Makes machines, all on one database; each leaves it empty."""
    with database.transaction("test") as connection:
        connection.execute(text(SET_UP))
    with Strings() as strings:
        yield partial(Engine, database, strings)


@pytest.mark.chaos
def test_in_whatever_order_things_are_done_the_engine_stands_where_its_model_does(
    new_engine: Callable[[Counter[str]], Engine], record_property: Figure
) -> None:
    figures: Counter[str] = Counter()
    drawn = int.from_bytes(os.urandom(4)) if IS_LONG else 0
    record_property("seed", drawn)
    machine: Any = seed(drawn)(partial(new_engine, figures))
    try:
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=sized(4, 300),
                stateful_step_count=sized(20, 60),
                derandomize=not IS_LONG,
                database=None,
                deadline=None,
                print_blob=True,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        for name, value in figures.items():
            record_property(name, value)


def test_a_worker_that_was_overtaken_tells_nobody_of_an_end_that_was_not_its_own(
    new_engine: Callable[[Counter[str]], Engine],
) -> None:
    """Wherever it stood in the parent or the child: when it goes on, the child's end has long been told."""
    for points in count(1):
        engine = new_engine(Counter())
        engine.start("a", (Side(((Do(),),)),), replacing=False)
        engine.work(0, points)
        if engine.puppets[0].standing is None:
            engine.teardown()
            return
        for deed in (
            partial(engine.is_taken_for_dead, 0),
            partial(engine.start, "a", (Hear(),), replacing=True),
            partial(engine.work, 1, None),
            partial(engine.work, 0, None),
        ):
            deed()
            engine.the_model_agrees()
        engine.teardown()
