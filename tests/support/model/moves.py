"""What a worker does with a family, one commit at a time.

A worker that is left alone makes every move there is. One that is interrupted has come to some place on that way, and
only a look can tell to which. So what is known of a family is a set of states: each deed maps it, each look narrows
it, and when nothing is left the engine has done what it must not.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import singledispatch
from typing import Any

from tests.support.model.asking import begun_again, closed, no_longer_needed, orphans
from tests.support.model.lives import GIVEN_BACK, Chore, Entry, Family, Fan, Join, Life, Mark, Start, spelled_out
from tests.support.model.plans import Again, Do, Fail, Hear, How, Nap, Note, Plan, Side


def reachable(
    family: Family, worker: str, now: int, deed: int, *, may_claim: bool = True
) -> tuple[set[Family], set[Family]]:
    """Where a worker may be interrupted, and where it comes to when it is not."""
    ways, ends, ahead = {family}, set(), [family]
    while ahead:
        here = ahead.pop()
        following = set(moves(here, worker, now, deed, may_claim=may_claim))
        if not following:
            ends.add(here)
        ahead += following - ways
        ways |= following
    return ways, ends


def moves(family: Family, worker: str, now: int, deed: int, *, may_claim: bool) -> Iterator[Family]:
    """What one worker may commit next. It does one thing after the other: its chores, the run it is in, the next of the
    runs it has claimed, and only then it claims again."""
    held = [life for life in family.lives if life.state == "running" and life.holder == worker]
    if chores := [chore for chore in family.chores if chore.worker == worker]:
        for chore in chores:
            yield _done(family, chore, now)
    elif held:
        for life in [life for life in held if life.midway] or held:
            yield from _further(Here(family, replace(life, midway=True), now, deed))
    elif may_claim and (claimed := list(_claimed(family, worker, now))):
        yield family.put(*claimed)


def _claimed(family: Family, worker: str, now: int) -> Iterator[Life]:
    for life in family.lives:
        if life.state == "waiting" and life.due is not None and life.due <= now:
            heeds = life.cancelling
            yield replace(life, state="running", due=None, listening=False, holder=worker, clock=now, heeds=heeds)


def _done(family: Family, chore: Chore, now: int) -> Family:
    family = replace(family, chores=family.chores - {chore})
    if chore.what == "look for orphans":
        found = {Chore(chore.worker, policy, child) for child, policy in orphans(family, chore.whom)}
        return replace(family, chores=family.chores | found)
    return no_longer_needed(family, chore.whom, chore.what, now)


@dataclass(frozen=True)
class Here:
    """Where a run is taken a step further."""

    family: Family
    life: Life
    now: int
    deed: int

    def with_(self, life: Life) -> list[Family]:
        """The only way on: the life has changed, and nothing else of the family."""
        return [self.family.put(life)]


def _further(here: Here) -> Iterable[Family]:
    """One step of a run."""
    life = here.life
    if not life.left:
        return [_ended(here)]
    line = life.left[0]
    if life.heeds and not life.in_doubt() and not isinstance(line, Again | Mark):
        return [_lets_go(here).put(_sees_its_cancellation(life))]
    return _step(line, here)


def _lets_go(here: Here) -> Family:
    """Whoever is cancelled waits no more, and its members are cancelled with it."""
    family, fan = here.family, here.family.fan_of(here.life)
    if fan is None:
        return family
    if isinstance(here.life.left[0], Join):
        return replace(family, fans=family.fans - {fan})
    return _folded(family, fan, [family.get(id_) for id_ in fan.members], here.life.holder or "", "cancel")


def _sees_its_cancellation(life: Life) -> Life:
    seen = life.answered(Entry(life.next_step, _kind(life.left[0]), "cancelled", life.asked))
    undo = () if life.is_member else (Do(),)
    return replace(seen, left=undo, end="cancelled", cancelling=False, heeds=False)


def _kind(line: Any) -> str:
    if isinstance(line, Side):
        return "first_of" if line.how == "race" else "gather"
    return {Nap: "sleep", Hear: "receive", Start: "child", Join: "await"}.get(type(line), "activity")


@singledispatch
def _step(line: Any, here: Here) -> Iterable[Family]:
    """What becomes of the family when one of its runs comes to this line. Where the database says what time it is, the
    clock of the run goes by that from there on."""
    raise NotImplementedError(line, here)


@_step.register
def _do(_line: Do, here: Here) -> Iterable[Family]:
    life, key = here.life, here.life.key(here.life.next_step)
    if life.current is None:
        return here.with_(life.wrote(Entry(life.next_step, "activity", "started")))
    made = replace(here.family, made=here.family.made | {key})
    return [made.put(life.answered(Entry(life.next_step, "activity", "done", key), key))]


@_step.register
def _fail(_line: Fail, here: Here) -> Iterable[Family]:
    life = here.life
    if life.current is None:
        return here.with_(life.wrote(Entry(life.next_step, "activity", "started")))
    failed = life.answered(Entry(life.next_step, "activity", "failed", "ValueError"))
    return here.with_(replace(failed, left=(), end="failed"))


@_step.register
def _note(_line: Note, here: Here) -> Iterable[Family]:
    life, key = here.life, here.life.key(here.life.next_step)
    noted = replace(here.family, noted=here.family.noted | {key})
    return [noted.put(life.answered(Entry(life.next_step, "activity", "done", key), key))]


@_step.register
def _nap(line: Nap, here: Here) -> Iterable[Family]:
    life = here.life
    begun = life.current or Entry(life.next_step, "sleep", "started", due=life.clock + line.hours)
    is_over = begun.due is not None and begun.due <= life.clock
    return here.with_(life.answered(replace(begun, state="done")) if is_over else life.waits(begun, here.now))


@_step.register
def _hear(line: Hear, here: Here) -> Iterable[Family]:
    life, now = here.life, here.now
    begun = life.current or Entry(life.next_step, "receive", "started", due=line.hours and now + line.hours)
    for sent in life.inbox:
        if not line.names or sent.name in line.names:
            read = replace(life, inbox=tuple(other for other in life.inbox if other is not sent), clock=now)
            return here.with_(read.answered(replace(begun, state="done", value=sent.key), sent.key))
    if begun.due is not None and begun.due <= now:
        return here.with_(replace(life, clock=now).answered(replace(begun, state="done"), None))
    return here.with_(life.waits(begun, now, listening=True))


@_step.register
def _mark(line: Mark, here: Here) -> Iterable[Family]:
    life = here.life
    if line.number == 1:
        return here.with_(life.answered(Entry(life.next_step, "rounds", "done", 1)))
    at = max(entry.number for entry in life.entries if entry.kind == "rounds")
    kept = tuple(entry for entry in life.entries if entry.number < at)
    marked = (*kept, Entry(at, "rounds", "done", line.number))
    return here.with_(replace(life, entries=marked, left=life.left[1:]))


@_step.register
def _again(_line: Again, here: Here) -> Iterable[Family]:
    life = here.life
    return here.with_(replace(life, run=life.run + 1, step=0, entries=(), left=life.left[1:], clock=here.now))


def _born(here: Here, number: int, plan: Plan | None, policy: str = "terminate") -> Life:
    parent = here.life
    id_ = f"{parent.id}~{parent.run}.{parent.next_step}.{number}"
    left = (Do(),) if plan is None else spelled_out(plan)
    return Life(id_, left, here.deed, here.now, parent=parent.id, on_parent_close=policy, is_member=plan is None)


@_step.register
def _start(line: Start, here: Here) -> Iterable[Family]:
    child = _born(here, 0, line.plan, line.on_parent_close)
    begun = here.life.answered(Entry(here.life.next_step, "child", "done", child.id))
    return [here.family.put(replace(begun, child=child.id, clock=here.now), child)]


@_step.register
def _join(_line: Join, here: Here) -> Iterable[Family]:
    family, life = here.family, replace(here.life, clock=here.now)
    begun = life.current or Entry(life.next_step, "await", "started")
    child, fan = family.get(life.child), family.fan_of(life)
    if not child.is_closed:
        opened = fan or Fan(life.id, life.run, life.next_step, (child.id,), 1, "all")
        return [replace(family, fans=family.fans | {opened}).put(life.waits(begun, here.now, listening=True))]
    state, value = _outcome(child)
    folded = replace(family, fans=family.fans - {fan}) if fan else family
    return [folded.put(life.answered(replace(begun, state=state, value=value), value))]


@_step.register
def _side(line: Side, here: Here) -> Iterable[Family]:
    family, life = here.family, replace(here.life, clock=here.now)
    begun = life.current or Entry(life.next_step, _kind(line), "started")
    waiting, fan = family.put(life.waits(begun, here.now, listening=True)), family.fan_of(life)
    if fan is None:
        members = [_born(here, number, plan) for number, plan in enumerate(line.members)]
        ids = tuple(member.id for member in members)
        opened = Fan(life.id, life.run, life.next_step, ids, 1 if line.how == "race" else len(ids), line.how)
        return [replace(waiting, fans=family.fans | {opened}).put(*members)]
    if not fan.is_complete:
        return [waiting]
    members = [family.get(id_) for id_ in fan.members]
    return [
        _folded(family, fan, members, life.holder or "", *_fares(line.how, state)).put(
            life.answered(replace(begun, state=state, value=value), value)
        )
        for state, value in _collected(line.how, members)
    ]


def _fares(how: How, state: str) -> tuple[str, bool]:
    """How losers of a wait that ended like this fare, and whether who completed is kept for a rewind."""
    is_race = how == "race"
    return "cancel" if is_race and state == "done" else "terminate", is_race and state == "failed"


def _folded(family: Family, fan: Fan, members: list[Life], worker: str, policy: str, keeps: bool = False) -> Family:
    """Who has done what was asked of it is forgotten; who lost is left behind, and has yet to be ended, or to end."""
    losers = [replace(member, left_behind=True, on_parent_close=policy) for member in members if not member.is_closed]
    served = [member.id for member in members if member.is_member and member.state == "completed" and not keeps]
    look = {Chore(worker, "look for orphans", fan.parent)} if losers else set()
    left = family.put(*losers).forget(*served)
    return replace(left, fans=family.fans - {fan}, chores=family.chores | look)


def _collected(how: How, members: list[Life]) -> Iterator[tuple[str, Any]]:
    """What a parent may find: of two that have ended, either may have been the first."""
    ended = [(number, member) for number, member in enumerate(members) if member.is_closed]
    failed = [member for _, member in ended if member.state != "completed"]
    if how == "race":
        for number, member in ended:
            state, value = _outcome(member)
            yield state, (number, value) if state == "done" else value
    elif how == "failing fast" and failed:
        yield from map(_outcome, failed)
    else:
        yield "done", tuple(_outcome(member)[1] for member in members)


def _outcome(life: Life) -> tuple[str, Any]:
    """The state and the value of an entry that waited for this life's end."""
    if life.state == "completed":
        return "done", life.result
    return "failed", "ValueError" if life.state == "failed" else life.state.capitalize()


def _ended(here: Here) -> Family:
    """The code is at its end. A signal-with-start that came during the run and was not read begins the next one."""
    life, look = here.life, Chore(here.life.holder or "", "look for orphans", here.life.id)
    said = life.said[0] if life.is_member and life.said else life.said
    result = said if life.end == "completed" else None
    family = replace(here.family, chores=here.family.chores | {look})
    for sent in life.inbox:
        if sent.starts is not None and sent.at > life.born:
            return begun_again(family, life, sent.starts, here.now, here.deed)
    return closed(family, replace(life, **GIVEN_BACK, state=life.end, result=result), here.now)
