"""The format of flows, which is Celery Director's with a little more: each rule, and what is said when it is broken."""

import difflib
import math
import re
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from typing import Any

from durable.flows.definition import Flow, crontab_of, flow_of, retry_of, seconds, tasks_in
from durable.flows.document import Spot
from durable.schedules import Cron, Every

KEYS = ("tasks", "hooks", "queue", "schema", "periodic", "retention")
PERIODS = ("interval", "crontab", "schedule")
LONGEST_TIMEOUT = 24 * 3600.0
_FULL_NAME = re.compile(r"[^\s./\\#?@][^\s./\\#?]*\.[^\s/\\#?]+")
_LONGEST_NAME = 100

SchemaOf = Callable[[Spot], dict[str, object] | None]
"""The JSON Schema that a flow's `schema` names; notes what is wrong with it."""


def read_flows(document: Spot, known: Collection[str] | None, schema_of: SchemaOf) -> list[tuple[Spot, Flow]]:
    """Every flow of a file that nothing is wrong with; what is wrong with others is noted. `known` are the names of the
    tasks there are, None when nobody can tell."""
    flows = []
    for full_name, spot in document.keys().items():
        before = len(document.problems)
        _check_name(full_name, spot)
        given = spot.keys(KEYS)
        if given or spot.is_mapping:
            _check(spot, given, known)
        raw = spot.plain()
        if "schema" in given and (schema := schema_of(given["schema"])) is not None:
            raw["schema"] = schema
        if len(document.problems) == before:
            flow = flow_of(full_name, raw)
            _check_customs(flow, given)
            flows.append((spot, flow))
    return flows


def _check(spot: Spot, given: dict[str, Spot], known: Collection[str] | None) -> None:
    if "tasks" in given:
        _check_tasks(given["tasks"], known)
    else:
        spot.refuse("has no tasks; a list of tasks is what a flow is")
    checks = {"queue": _check_queue, "periodic": _check_periodic, "retention": _check_retention}
    for key, check in checks.items():
        if key in given:
            check(given[key])
    if "hooks" in given:
        for hook in given["hooks"].keys(("success", "failure")).values():
            _check_task(hook, known)


def _check_name(full_name: str, spot: Spot) -> None:
    if not _FULL_NAME.fullmatch(full_name) or len(full_name) > _LONGEST_NAME or not full_name.isprintable():
        spot.refuse(
            f"is no name of a flow; allowed: project.NAME, at most {_LONGEST_NAME} characters, no / \\ # ? or space"
        )


def _check_tasks(tasks: Spot, known: Collection[str] | None) -> None:
    for item in tasks.items("a list of tasks, e.g. [EXTRACT, LOAD]"):
        if item.is_mapping:
            _check_part(item, known)
        else:
            _check_task(item, known)


def _check_part(item: Spot, known: Collection[str] | None) -> None:
    """`GROUP: {type: group, tasks: […]}`, or a task with options: `TASK: {retry: {…}, timeout: 30}`."""
    named = item.keys()
    if len(named) != 1:
        item.refuse(f"has {len(named)} keys; allowed: one, the name of a group, of a chain, or of a task with options")
        return
    [(name, part)] = named.items()
    if part.is_mapping and {"type", "tasks"} & set(part.keys()):
        given = part.keys(("type", "tasks"))
        _check_type(part, given)
        if "tasks" in given:
            _check_tasks(given["tasks"], known)
        else:
            part.refuse("has no tasks")
        return
    _check_options(part)
    _check_known(name, part, known)


def _check_type(part: Spot, given: dict[str, Spot]) -> None:
    if "type" not in given:
        part.refuse("has no type; allowed: group, chain")
    elif (kind := given["type"].text("group, chain")) not in ("group", "chain", None):
        given["type"].refuse(f"{kind!r} is not allowed; allowed: group, chain")


def _check_options(part: Spot) -> None:
    given = part.keys(("retry", "timeout"))
    if part.is_mapping and not given and not part.node.value:
        part.refuse("is empty; allowed: retry, timeout, or the name alone without a colon")
    if "timeout" in given:
        _check_length(given["timeout"], LONGEST_TIMEOUT)
    if "retry" in given:
        _check_retry(given["retry"])


def _check_retry(retry: Spot) -> None:
    before = len(retry.problems)
    given = retry.keys(("attempts", "first", "factor", "longest"))
    for key in ("first", "longest"):
        if key in given:
            _check_length(given[key], timedelta(days=366).total_seconds())
    if "attempts" in given:
        _check_number(given["attempts"], 1, 1000, whole=True)
    if "factor" in given:
        _check_number(given["factor"], 1, 1000)
    if len(retry.problems) == before:
        try:
            retry_of(retry.plain())
        except ValueError as problem:
            retry.refuse(str(problem))


def _check_task(spot: Spot, known: Collection[str] | None) -> None:
    name = spot.text("the name of a task; in a list of tasks also a group, a chain or a task with options")
    if name is not None:
        _check_known(name, spot, known)


def _check_known(name: str, spot: Spot, known: Collection[str] | None) -> None:
    if known is not None and name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        there = f"did you mean {close[0]}?" if close else f"there are: {_some(sorted(known))}"
        spot.refuse(f"no task is called {name!r}; {there}")


def _check_queue(queue: Spot) -> None:
    if not queue.is_mapping:
        queue.text("the name of a queue, or a mapping with default, customs")
        return
    given = queue.keys(("default", "customs"))
    if "default" in given:
        given["default"].text("the name of a queue")
    if "customs" in given:
        for custom in given["customs"].keys().values():
            custom.text("the name of a queue")


def _check_customs(flow: Flow, given: dict[str, Spot]) -> None:
    there = {*tasks_in(flow.tasks), flow.hooks.success, flow.hooks.failure}
    for task in set(flow.queue.customs) - there:
        spot = given["queue"].keys()["customs"].keys()[task]
        spot.refuse(f"no task of this flow is called {task!r}")


def _check_periodic(periodic: Spot) -> None:
    given = periodic.keys((*PERIODS, "payload"))
    named = [key for key in PERIODS if key in given]
    if len(named) != 1:
        if periodic.is_mapping:
            there = " and ".join(named) or "none of them"
            periodic.refuse(f"has {there}; allowed: exactly one of {', '.join(PERIODS)}")
        return
    spot = given[named[0]]
    if named[0] == "interval" or not _is_crontab(spot):
        _check_interval(spot)
    else:
        _check_crontab(spot, legacy=named[0] == "schedule")


def _is_crontab(spot: Spot) -> bool:
    """A crontab has spaces in it; a legacy schedule may be a number instead."""
    return spot.key.endswith(".crontab") or (spot.is_text and len(spot.node.value.split()) > 1)


def _check_interval(spot: Spot) -> None:
    """Director takes a number in quotes for one."""
    given, is_plain = _plain(spot)
    if not is_plain:
        return
    try:
        interval = math.nan if isinstance(given, bool) else float(given)
        Every(timedelta(seconds=interval))
    except (TypeError, ValueError, OverflowError):
        spot.refuse(f"{spot.shown} is not allowed; allowed: whole seconds, at least 1")


def _check_crontab(spot: Spot, *, legacy: bool) -> None:
    fields = "minute hour day-of-week day-of-month month" if legacy else "minute hour day-of-month month day-of-week"
    written = spot.text(f"five fields, {fields}")
    if written is None:
        return
    try:
        Cron(crontab_of(written) if legacy else written)
    except (ValueError, OverflowError) as problem:
        spot.refuse(f"{written!r} is not allowed; allowed: five fields, {fields} ({problem})")


def _check_retention(retention: Spot) -> None:
    given = retention.keys(("offset",))
    if "offset" in given:
        _check_number(given["offset"], -1, 10**9, whole=True)
    elif retention.is_mapping:
        retention.refuse("has no offset; allowed: offset, how many of the newest runs are kept, -1 for all")


def _check_length(spot: Spot, most: float) -> None:
    given, is_plain = _plain(spot)
    if not is_plain:
        return
    try:
        if isinstance(given, bool) or given is None or not 0 < seconds(given) <= most:
            spot.refuse(f"{spot.shown} is not allowed; allowed: more than 0 and at most {most:g} seconds")
    except (TypeError, ValueError, OverflowError):
        spot.refuse(f"{spot.shown} is not allowed; allowed: seconds, or a length of time such as 90s, 5m, 1h30m")


def _check_number(spot: Spot, least: int, most: int, *, whole: bool = False) -> None:
    given, is_plain = _plain(spot)
    fits = isinstance(given, int if whole else int | float) and not isinstance(given, bool) and least <= given <= most
    if is_plain and not fits:
        kind = "a whole number" if whole else "a number"
        spot.refuse(f"{spot.shown} is not allowed; allowed: {kind} from {least} to {most}")


def _plain(spot: Spot) -> tuple[Any, bool]:
    """The value, and whether it has one in JSON; what is wrong with it is noted then."""
    before = len(spot.problems)
    return spot.plain(), len(spot.problems) == before


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (" …" if len(names) > 10 else "") if names else "none"
