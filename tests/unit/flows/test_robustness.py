"""Whatever stands in the files of a folder of flows: it is read, or what is wrong with it is told; nothing else happens."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from durable.flows import FlowErrors, load
from durable.flows.document import read
from durable.flows.errors import Problem
from durable.flows.reading import read_flows
from durable.flows.running import About, definition_of, steps_of
from durable.flows.schemas import errors_of
from durable.serde import decode, encode

WORDS = st.sampled_from(
    [
        *("p.F", "p.G", "tasks", "type", "group", "chain", "A", "B", "hooks", "success", "failure", "queue", "default"),
        *(
            "customs",
            "schema",
            "periodic",
            "interval",
            "crontab",
            "schedule",
            "payload",
            "retention",
            "offset",
            "retry",
        ),
        *("attempts", "first", "factor", "longest", "timeout", "* * * * *", "0 9 * * 1", "10s", "<<", "x/y", "..", ""),
    ]
)
SCALARS = WORDS | st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.dates()
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SCALARS, inner, max_size=4), max_leaves=20
)
TASKS = st.recursive(
    st.sampled_from(["A", "B"]),
    lambda inner: st.builds(
        lambda kind, tasks: {"N": {"type": kind, "tasks": tasks}},
        st.sampled_from(["group", "chain"]),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=8,
)


def read_text(text: str) -> list[Any]:
    """The flows in a text, or none; what is wrong is a line each."""
    problems: list[Problem] = []
    document = read("x.yml", text, problems)
    flows = [] if document is None else [flow for _, flow in read_flows(document, {"A", "B"}, lambda _spot: {})]
    assert all(str(problem).startswith("x.yml:") and problem.message for problem in problems)
    assert all(problem.line >= 1 for problem in problems)
    return flows


def is_usable(flow: Any) -> bool:
    """Whether what was read can be stored, and be run from what was stored."""
    json.dumps(flow.raw, allow_nan=False)
    about = About("id", decode(encode(definition_of(flow))))
    kept: bool = (about.tasks, about.hooks, about.routing) == (flow.tasks, flow.hooks, flow.queue)
    return kept


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet=st.characters(), max_size=200))
@example('p.F: "\\U0011FFFF"')
@example("p.F: !!int ''")
@example("p.F: !!timestamp x")
@example("p.F: {!!binary x: y}")
@example("? [a]\n: b")
@example("p.F: {tasks: [!!bool maybe]}")
@example("%YAML 9.9\n---\np.F: {}")
@example("\ud800: 1")
def test_any_text_is_read_or_refused(text: str) -> None:
    assert all(map(is_usable, read_text(text)))


@settings(max_examples=150, deadline=None)
@given(TREES)
def test_any_tree_of_words_and_values_is_read_or_refused(tree: Any) -> None:
    assert all(map(is_usable, read_text(yaml.safe_dump(tree, allow_unicode=True))))


@settings(max_examples=40, deadline=None)
@given(st.lists(TASKS, min_size=1, max_size=4))
def test_groups_and_chains_in_any_order_are_read_and_each_task_has_a_place_of_its_own(tasks: list[Any]) -> None:
    [flow] = read_text(yaml.safe_dump({"p.F": {"tasks": tasks}}))
    assert is_usable(flow)
    places = [place for place, _ in steps_of(flow.tasks)]
    assert len(set(places)) == len(places)


@settings(max_examples=60, deadline=None)
@given(TREES, TREES)
@example({"$ref": "#"}, {})
@example({"$ref": "http://localhost:1/schema.json"}, {})
@example({"pattern": "("}, "x")
@example({"multipleOf": 1e-300}, 10**400)
@example({"type": "nonsense"}, 1)
@example({"$schema": "nowhere", "minimum": "x"}, 1)
def test_any_schema_and_payload_end_in_findings_that_can_be_shown(schema: Any, payload: Any) -> None:
    given_schema = schema if isinstance(schema, dict) else {"const": schema}
    assert all(isinstance(error, str) and error for error in errors_of(given_schema, payload))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60) | TREES.map(lambda tree: json.dumps(tree, default=str, skipkeys=True).encode()))
def test_any_file_of_a_schema_is_read_or_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "schemas").mkdir(exist_ok=True)
    (tmp_path / "schemas" / "s.json").write_bytes(content)
    (tmp_path / "x.yml").write_text("p.F: {tasks: [NOBODY], schema: s}")
    with pytest.raises(FlowErrors) as refused:
        load(tmp_path)
    files = {Path(problem.file).name for problem in refused.value.problems}
    assert files <= {"x.yml", "s.json"}
