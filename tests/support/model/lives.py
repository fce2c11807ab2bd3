"""Lives and families: workflows as they stand in the database after a commit."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from tests.support.model.plans import Child, Do, How, Line, Loop, Nap, Plan

State = Literal["waiting", "running", "paused", "completed", "failed", "cancelled", "terminated"]
ENDS: tuple[State, ...] = ("completed", "failed", "cancelled", "terminated")
GIVEN_BACK: dict[str, Any] = {"holder": None, "midway": False, "heeds": False}


@dataclass(frozen=True)
class Start:
    """Start a child."""

    plan: Plan
    on_parent_close: str


@dataclass(frozen=True)
class Join:
    """Wait for the child that was started last."""


@dataclass(frozen=True)
class Mark:
    """Begin a round."""

    number: int


def spelled_out(plan: Plan) -> tuple[Any, ...]:
    """The plan in lines of one step each."""
    return tuple(step for line in plan for step in _steps(line))


def _steps(line: Line) -> Iterator[Any]:
    match line:
        case Child(plan, policy, joined):
            yield from (Start(plan, policy), Do(), *([Join()] if joined else []))
        case Loop(times, hours):
            for number in range(1, times + 1):
                yield from (Mark(number), Do(), Nap(hours))
        case _:
            yield line


@dataclass(frozen=True)
class Entry:
    """A step in the history. `value` is what it answered; `due` the hour at which it is over by itself."""

    number: int
    kind: str
    state: str
    value: Any = None
    due: int | None = None


@dataclass(frozen=True)
class Sent:
    """A signal that nobody has read. `at` is the deed that sent it; `starts` is the plan of a signal-with-start."""

    key: str
    name: str
    at: int
    starts: Plan | None = None


@dataclass(frozen=True)
class Life:
    """One workflow. `left` is what it still has to do, `born` the deed that began it, `due` the hour it wakes at.

    `holder` is the worker that runs it: it claimed it in the hour `clock`, is `midway` in it or has yet to begin, and
    `heeds` a cancellation it found. `asked` is why it was asked to end, `cancelling` that it has not seen it yet.
    """

    id: str
    left: tuple[Any, ...]
    born: int
    due: int | None
    end: State = "completed"
    state: State = "waiting"
    run: int = 1
    step: int = 0
    entries: tuple[Entry, ...] = ()
    said: tuple[Any, ...] = ()
    result: Any = None
    listening: bool = False
    holder: str | None = None
    clock: int = 0
    midway: bool = False
    heeds: bool = False
    asked: str | None = None
    cancelling: bool = False
    inbox: tuple[Sent, ...] = ()
    keys: frozenset[str] = frozenset()
    child: str = ""
    parent: str | None = None
    on_parent_close: str = "terminate"
    left_behind: bool = False
    is_member: bool = False

    @property
    def is_closed(self) -> bool:
        return self.state in ENDS

    @property
    def next_step(self) -> int:
        return self.step + 1

    @property
    def current(self) -> Entry | None:
        """What history holds of the next step."""
        return next((entry for entry in self.entries if entry.number == self.next_step), None)

    def key(self, number: int) -> str:
        return f"{self.id}/{self.run}/{number}"

    def in_doubt(self) -> set[str]:
        """The keys of effects that may have happened."""
        return {self.key(each.number) for each in self.entries if (each.kind, each.state) == ("activity", "started")}

    def wrote(self, entry: Entry) -> "Life":
        others = (other for other in self.entries if other.number != entry.number)
        return replace(self, entries=tuple(sorted((*others, entry), key=lambda each: each.number)))

    def answered(self, entry: Entry, *said: Any) -> "Life":
        """One line further."""
        return replace(self.wrote(entry), step=entry.number, left=self.left[1:], said=(*self.said, *said))

    def waits(self, entry: Entry, now: int, *, listening: bool = False) -> "Life":
        """Given back until the entry is due, or somebody wakes it."""
        due = now if self.cancelling else entry.due
        return replace(self.wrote(entry), **GIVEN_BACK, state="waiting", due=due, listening=listening)

    def woken(self, now: int) -> "Life":
        return replace(self, due=now, listening=False)


@dataclass(frozen=True)
class Fan:
    """A parent's wait for the ends of others, at one step of one run; `missing` counts down."""

    parent: str
    run: int
    step: int
    members: tuple[str, ...]
    missing: int
    how: How
    failed: bool = False

    @property
    def is_complete(self) -> bool:
        return self.missing <= 0 or (self.failed and self.how == "failing fast")


@dataclass(frozen=True)
class Chore:
    """What a worker has yet to see to, beside the run in its hands: look for the orphans of `whom`, or end it."""

    worker: str
    what: Literal["look for orphans", "terminate", "cancel"]
    whom: str


@dataclass(frozen=True)
class Family:
    """A workflow and its children. `made` and `noted` are the keys of effects that happened and of rows that are there,
    `doubted` those of effects that may have happened, and nobody will look."""

    lives: tuple[Life, ...] = ()
    fans: frozenset[Fan] = frozenset()
    chores: frozenset[Chore] = frozenset()
    made: frozenset[str] = frozenset()
    noted: frozenset[str] = frozenset()
    doubted: frozenset[str] = frozenset()

    def find(self, id_: str) -> Life | None:
        return next((life for life in self.lives if life.id == id_), None)

    def get(self, id_: str) -> Life:
        [life] = [life for life in self.lives if life.id == id_]
        return life

    def put(self, *lives: Life) -> "Family":
        ids = {life.id for life in lives}
        others = (life for life in self.lives if life.id not in ids)
        return replace(self, lives=tuple(sorted((*others, *lives), key=lambda life: life.id)))

    def forget(self, *ids: str) -> "Family":
        return replace(self, lives=tuple(life for life in self.lives if life.id not in ids))

    def fan_of(self, life: Life) -> Fan | None:
        """What this life waits for at its next step."""
        place = (life.id, life.run, life.next_step)
        return next((fan for fan in self.fans if (fan.parent, fan.run, fan.step) == place), None)

    def without_chores_of(self, worker: str) -> "Family":
        return replace(self, chores=frozenset(chore for chore in self.chores if chore.worker != worker))

    def may_have_happened(self) -> frozenset[str]:
        return self.doubted.union(*(life.in_doubt() for life in self.lives))
