"""A flow's tasks in columns and rows, by what came before each alone."""

from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET

from bot.dashboard import graph
from bot.dashboard.graph import Place
from durable.flows import TaskRun

WHEN = datetime(2026, 11, 22, tzinfo=UTC)


def task(name: str, *previous: str, status: Any = "success", **more: Any) -> TaskRun:
    given = {"is_hook": False, "reached": True} | more
    return TaskRun(name, WHEN, WHEN, name, status, name, list(previous), None, **given)


def places(*tasks: TaskRun) -> dict[str, tuple[int, int]]:
    return {id_: (place.column, place.row) for id_, place in graph.places_of(tasks).items()}


def drawn(*tasks: TaskRun) -> ET.Element:
    """The drawing, which has to be well-formed."""
    return ET.fromstring(graph.svg(tasks))  # noqa: S314 - our own


def test_a_chain_stands_in_one_row() -> None:
    assert places(task("a"), task("b", "a"), task("c", "b")) == {"a": (0, 0), "b": (1, 0), "c": (2, 0)}


def test_a_group_is_stacked_and_what_follows_it_stands_in_its_first_row() -> None:
    assert places(task("a"), task("b", "a"), task("c", "a"), task("d", "b", "c")) == {
        "a": (0, 0),
        "b": (1, 0),
        "c": (1, 1),
        "d": (2, 0),
    }


def test_a_flow_may_begin_with_a_group() -> None:
    assert places(task("a"), task("b"), task("c", "a", "b")) == {"a": (0, 0), "b": (0, 1), "c": (1, 0)}


def test_a_chain_in_a_group_keeps_the_rows_that_it_needs_to_itself() -> None:
    found = places(
        task("a"),
        task("b", "a"),
        task("c1", "a"),
        task("x", "c1"),
        task("y", "c1"),
        task("c2", "x", "y"),
        task("d", "a"),
        task("e1", "b", "c2", "d"),
        task("e2", "b", "c2", "d"),
    )
    assert found == {
        "a": (0, 0),
        "b": (1, 0),
        "c1": (1, 1),
        "x": (2, 1),
        "y": (2, 2),
        "c2": (3, 1),
        "d": (1, 3),
        "e1": (4, 0),
        "e2": (4, 1),
    }
    assert len(set(found.values())) == len(found)


def test_hooks_stand_in_the_last_column() -> None:
    tasks = (task("a"), task("b", "a"), task("yes", is_hook=True), task("no", is_hook=True))
    assert graph.places_of(tasks)["yes"] == Place(2, 0)
    assert graph.places_of(tasks)["no"] == Place(2, 1)
    assert "hook" in [group.get("class", "").split()[-1] for group in drawn(*tasks).iter("g")]


def test_each_task_says_what_became_of_it() -> None:
    drawing = drawn(task("a"), task("b", "a", status="error"), task("c", "b", status="pending", reached=False))
    assert [title.text for title in drawing.iter("title")] == ["a: success", "b: error", "c: not reached"]
    assert [group.get("class") for group in drawing.iter("g")] == ["task success", "task error", "task pending"]


def test_many_after_many_meet_in_one_point() -> None:
    first, second = [f"a{n}" for n in range(10)], [f"b{n}" for n in range(10)]
    tasks = [task(name) for name in first] + [task(name, *first) for name in second]
    assert len(list(drawn(*tasks).iter("path"))) == 20


def test_a_task_that_another_workflow_runs_links_to_it() -> None:
    drawing = drawn(task("a"), task("b", "a", workflow_id="run?/~1.2.0"))
    assert [link.get("href") for link in drawing.iter("a")] == ["/workflows/run%3F%2F~1.2.0"]


def test_nothing_is_drawn_of_nothing_or_of_more_than_can_be_read() -> None:
    assert graph.svg([]) == ""
    assert graph.svg([task(str(number)) for number in range(graph.MOST_TASKS + 1)]) == ""
    assert graph.svg([task(str(number)) for number in range(graph.MOST_TASKS)])


def test_names_from_elsewhere_are_only_words() -> None:
    hostile = '"/><script>alert(1)</script>'
    drawing = drawn(task(hostile), task("x" * 300))
    assert not list(drawing.iter("script"))
    assert next(title.text for title in drawing.iter("title")) == f"{hostile}: success"
