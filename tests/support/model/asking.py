"""What is asked of a family from outside, with the answer that is due: a value, or the name of the error."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal

from durable.postgres.kin import LEFT
from tests.support.model.lives import GIVEN_BACK, Family, Life, Sent, spelled_out
from tests.support.model.plans import Plan

Asked = tuple[Any, Family]


def start(family: Family, id_: str, plan: Plan, now: int, deed: int, *, replacing: bool = False) -> Asked:
    """Begin, or begin the next run. The answer is the run, and whether it is new."""
    life = family.find(id_)
    if life is None:
        return (1, True), family.put(Life(id_, spelled_out(plan), deed, now))
    if not life.is_closed and not replacing:
        return (life.run, False), family
    if not life.is_closed:
        family = _terminated(family, life, now)
    return (life.run + 1, True), begun_again(family, family.get(id_), plan, now, deed)


def signal(family: Family, id_: str, sent: Sent, now: int) -> Asked:
    life = family.get(id_)
    if sent.key in life.keys:
        return False, family
    if life.is_closed:
        return "WorkflowClosed", family
    return True, _delivered(family, life, sent, now)


def signal_with_start(family: Family, id_: str, sent: Sent, now: int) -> Asked:
    assert sent.starts is not None
    life = family.find(id_)
    if life is not None and sent.key in life.keys:
        return False, family
    if life is None or life.is_closed:
        family = start(family, id_, sent.starts, now, sent.at)[1]
    return True, _delivered(family, family.get(id_), sent, now)


def _delivered(family: Family, life: Life, sent: Sent, now: int) -> Family:
    told = replace(life, inbox=(*life.inbox, sent), keys=life.keys | {sent.key})
    return family.put(told.woken(now) if told.state == "waiting" and told.listening else told)


def cancel(family: Family, id_: str, reason: str, now: int) -> Asked:
    life = family.get(id_)
    if life.is_closed:
        return "WorkflowClosed", family
    return not life.asked, _cancelled(family, life, reason, now)


def _cancelled(family: Family, life: Life, reason: str, now: int) -> Family:
    if life.asked:
        return family
    asked = replace(life, asked=reason, cancelling=True, listening=False)
    return family.put(asked.woken(now) if life.state == "waiting" else asked)


def terminate(family: Family, id_: str, now: int) -> Asked:
    life = family.get(id_)
    return ("WorkflowClosed", family) if life.is_closed else (None, _terminated(family, life, now))


def _terminated(family: Family, life: Life, now: int) -> Family:
    return closed(family, replace(life, **GIVEN_BACK, state="terminated"), now)


def suspend(family: Family, id_: str) -> Asked:
    life = family.get(id_)
    if life.is_closed or life.state == "paused":
        return "WrongState", family
    return None, family.put(replace(life, **GIVEN_BACK, state="paused", due=None, listening=False))


def resume(family: Family, id_: str, now: int) -> Asked:
    life = family.get(id_)
    if life.state != "paused":
        return "WrongState", family
    return None, family.put(replace(life, state="waiting", due=now))


def no_longer_needed(family: Family, id_: str, what: Literal["terminate", "cancel"], now: int) -> Family:
    """Ended, or asked to end, unless it has ended or is gone."""
    life = family.find(id_)
    if life is None or life.is_closed:
        return family
    return _terminated(family, life, now) if what == "terminate" else _cancelled(family, life, LEFT, now)


def orphans(family: Family, parent: str | None = None) -> Iterator[tuple[str, Any]]:
    """The living children whose parent (this one, or any) has ended, with what is to become of them."""
    for life in family.lives:
        if life.parent is None or life.is_closed or life.cancelling or life.on_parent_close == "abandon":
            continue
        if parent in (None, life.parent) and (family.get(life.parent).is_closed or life.left_behind):
            yield life.id, life.on_parent_close


def taken_away(family: Family, worker: str, now: int) -> Family:
    """What a worker held that is dead, or was taken for dead, is due again."""
    held = [life for life in family.lives if life.state == "running" and life.holder == worker]
    return family.put(*(replace(life, **GIVEN_BACK, state="waiting", due=now) for life in held))


def closed(family: Family, life: Life, now: int) -> Family:
    """Put an ended life there, and tell whoever waits for its end."""
    family = family.put(replace(life, due=None, listening=False))
    for fan in [fan for fan in family.fans if life.id in fan.members]:
        counted = replace(fan, missing=fan.missing - 1, failed=fan.failed or life.state != "completed")
        family = replace(family, fans=family.fans - {fan} | {counted})
        parent = family.get(fan.parent)
        if counted.is_complete and parent.state == "waiting" and parent.listening:
            family = family.put(parent.woken(now))
    return family


def begun_again(family: Family, life: Life, plan: Plan, now: int, deed: int) -> Family:
    """The next run of this id. Its signals stay; the children it had are left behind."""
    begun = Life(life.id, spelled_out(plan), deed, now, run=life.run + 1, inbox=life.inbox, keys=life.keys)
    children = [replace(child, left_behind=True) for child in family.lives if child.parent == life.id]
    return replace(family, doubted=family.doubted | life.in_doubt()).put(begun, *children)
