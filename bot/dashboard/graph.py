"""The tasks of a flow's run as a graph, drawn as SVG: left to right as they follow each other, groups stacked. Pure.

Everything is found from what came before each task, so nothing has to be known of the flow's definition.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from markupsafe import Markup

from durable.flows import TaskRun

MOST_TASKS = 80
"""More are not drawn: nobody could read it."""
_BOX, _TALL, _ACROSS, _DOWN = 168.0, 40.0, 60.0, 14.0
_MARGIN = 4.0
_LONGEST_NAME = 20


@dataclass(frozen=True)
class Place:
    """Where a task stands: how many columns from the left, and how many rows from the top."""

    column: int
    row: int


def places_of(tasks: Sequence[TaskRun]) -> dict[str, Place]:
    """The place of each task by its id. A task stands right of those before it; tasks that follow the same ones stand
    below each other, each with all that follows it alone, and what follows a group stands in the row where that begins;
    hooks stand in the last column."""
    places: dict[str, Place] = {}
    first: dict[tuple[str, ...], int] = {}  # for each set of tasks: the number of the first one that follows them
    inside = [task for task in tasks if not task.is_hook]
    for number, task in enumerate(inside):
        before = [places[id_] for id_ in task.previous if id_ in places]
        column = 1 + max((place.column for place in before), default=-1)
        siblings = tuple(sorted(task.previous))
        if siblings in first:
            since = [places[other.id].row for other in inside[first[siblings] : number]]
            row = max(since) + 1
        else:
            first[siblings] = number
            row = min((place.row for place in before), default=0)
        places[task.id] = Place(column, row)
    last = 1 + max((place.column for place in places.values()), default=-1)
    hooks = [task for task in tasks if task.is_hook]
    return places | {hook.id: Place(last, number) for number, hook in enumerate(hooks)}


def svg(tasks: Sequence[TaskRun]) -> Markup:
    """The drawing; nothing for no tasks, or for more than can be read. A task that another workflow runs links to it."""
    if not 0 < len(tasks) <= MOST_TASKS:
        return Markup("")
    places = places_of(tasks)
    columns = 1 + max(place.column for place in places.values())
    rows = 1 + max(place.row for place in places.values())
    width = columns * (_BOX + _ACROSS) - _ACROSS + 2 * _MARGIN
    height = rows * (_TALL + _DOWN) - _DOWN + 2 * _MARGIN
    return Markup(
        '<svg class="graph" viewBox="0 0 {} {}" width="{}" height="{}" role="group" aria-label="The tasks in their order">{}{}</svg>'
    ).format(
        *map(_number, (width, height, width, height)),
        Markup("").join(_edges(tasks, places)),
        Markup("").join(_box(task, places[task.id]) for task in tasks),
    )


def _edges(tasks: Sequence[TaskRun], places: Mapping[str, Place]) -> list[Markup]:
    """One line for each pair, but by way of a point where many follow many."""
    drawn: list[Markup] = []
    joined: set[tuple[str, ...]] = set()
    following: dict[tuple[str, ...], int] = {}
    for task in tasks:
        following[tuple(task.previous)] = following.get(tuple(task.previous), 0) + 1
    for task in tasks:
        before = tuple(id_ for id_ in task.previous if id_ in places)
        target = _left(places[task.id])
        if len(before) > 1 and following[tuple(task.previous)] > 1:
            point = (max(_right(places[id_])[0] for id_ in before) + _ACROSS / 2, _middle(before, places))
            if before not in joined:
                joined.add(before)
                drawn += [_curve(_right(places[id_]), point, _ACROSS / 2) for id_ in before]
            drawn.append(_curve(point, target))
        else:
            drawn += [_curve(_right(places[id_]), target) for id_ in before]
    return drawn


def _curve(begin: tuple[float, float], end: tuple[float, float], gap: float = _ACROSS) -> Markup:
    """Along the row until the last gap before its end, so that it passes no other task's box."""
    turn = max(begin[0], end[0] - gap)
    half = (turn + end[0]) / 2
    return Markup('<path class="edge" d="M{} {}H{}C{} {} {} {} {} {}"/>').format(
        *map(_number, (*begin, turn, half, begin[1], half, end[1], *end))
    )


def _box(task: TaskRun, place: Place) -> Markup:
    left, top = _corner(place)
    name = task.key if len(task.key) <= _LONGEST_NAME else task.key[: _LONGEST_NAME - 1] + "…"
    kind = "hook, " if task.is_hook else ""
    status = task.status if task.reached or task.status != "pending" else "not reached"
    drawn = Markup(
        '<title>{title}</title><rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6"/>'
        '<circle cx="{dot}" cy="{middle}" r="4"/><text class="name" x="{text}" y="{upper}">{name}</text>'
        '<text x="{text}" y="{lower}">{said}</text>'
    ).format(
        title=f"{task.key}: {kind}{status}",
        x=_number(left),
        y=_number(top),
        width=_number(_BOX),
        height=_number(_TALL),
        dot=_number(left + 14),
        middle=_number(top + _TALL / 2),
        text=_number(left + 26),
        upper=_number(top + 17),
        lower=_number(top + 32),
        name=name,
        said=kind + status,
    )
    shown = Markup('<g class="task {}{}">{}</g>').format(task.status, " hook" if task.is_hook else "", drawn)
    if task.workflow_id is None:
        return shown
    return Markup('<a href="/workflows/{}">{}</a>').format(quote(task.workflow_id, safe=":@~"), shown)


def _corner(place: Place) -> tuple[float, float]:
    return _MARGIN + place.column * (_BOX + _ACROSS), _MARGIN + place.row * (_TALL + _DOWN)


def _left(place: Place) -> tuple[float, float]:
    x, y = _corner(place)
    return x, y + _TALL / 2


def _right(place: Place) -> tuple[float, float]:
    x, y = _corner(place)
    return x + _BOX, y + _TALL / 2


def _middle(ids: Sequence[str], places: Mapping[str, Place]) -> float:
    heights = [_right(places[id_])[1] for id_ in ids]
    return sum(heights) / len(heights)


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
