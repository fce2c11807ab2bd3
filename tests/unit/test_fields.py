"""Forms made of JSON Schemas: whatever is typed either fits the schema's types or is told to be wrong."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.dashboard.fields import MOST_FIELDS, PREFIX, RAW, Field, Form, form_of, read
from durable.flows.schemas import errors_of

PLAIN = st.sampled_from(["string", "integer", "number", "boolean", "object", "array"])
SCHEMAS = st.one_of(
    PLAIN.map(lambda type_: {"type": type_}),
    PLAIN.map(lambda type_: {"type": [type_, "null"]}),
    PLAIN.map(lambda type_: {"anyOf": [{"type": type_}, {"type": "null"}]}),
    st.lists(st.one_of(st.text(max_size=5), st.integers(-5, 5), st.none(), st.booleans()), min_size=1, max_size=4).map(
        lambda values: {"enum": values}
    ),
    st.just({"const": "only"}),
    st.just(True),
    st.just({}),
)
TYPED = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["", " ", "1", "-3", "2.5", "1e400", "true", "null", "[]", "{}", '"x"', "NaN", "0x10", "[" * 99]),
)


@st.composite
def forms_filled_in(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, str]]:
    """A schema of an object, and what somebody typed into its form."""
    properties = draw(st.dictionaries(st.text(max_size=6), SCHEMAS, max_size=5))
    required = sorted(draw(st.sets(st.sampled_from(sorted(properties) or [""])))) if properties else []
    typed = {PREFIX + name: draw(TYPED) for name in properties if draw(st.integers(0, 3))}
    choices = [choice.value for field in form_of(_object(properties, required)).fields for choice in field.choices]
    chooses = draw(st.booleans())
    if choices and chooses:
        typed |= {key: draw(st.sampled_from(choices)) for key in typed}
    return _object(properties, required), typed


def _object(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required}


@given(forms_filled_in())
def test_what_a_form_gives_fits_its_schema_or_is_told_to_be_wrong(
    filled_in: tuple[dict[str, Any], dict[str, str]],
) -> None:
    schema, typed = filled_in
    form = form_of(schema)
    found = read(form, typed)
    if found.errors:
        assert set(found.errors) <= {RAW, *(field.key for field in form.fields)}
        assert all(found.errors.values())
    elif not any(field.kind == "json" for field in form.fields) and form.fields:
        assert errors_of(schema, found.value) == []
    json.dumps(found.value)


@given(st.dictionaries(st.text(max_size=6), SCHEMAS, min_size=1, max_size=5), st.data())
def test_every_first_value_can_be_sent_as_it_stands(properties: dict[str, Any], data: st.DataObject) -> None:
    first = {
        name: {**schema, "default": data.draw(st.from_regex(r"[a-z]{1,5}", fullmatch=True))}
        for name, schema in properties.items()
        if isinstance(schema, dict) and schema.get("type") == "string"
    }
    schema = _object(first, [])
    form = form_of(schema)
    assert read(form, {field.key: field.first for field in form.fields} | {RAW: form.raw}).value == {
        name: its["default"] for name, its in first.items()
    }


@given(st.text())
def test_whatever_is_typed_as_json_is_json_or_told_to_be_wrong(typed: str) -> None:
    found = read(Form(), {RAW: typed})
    assert bool(found.errors) or json.dumps(found.value)


def test_each_type_has_its_field() -> None:
    schema = _object(
        {
            "name": {"type": "string", "description": "Whose it is", "pattern": "^[a-z]+$"},
            "many": {"type": "integer", "minimum": 1, "default": 3},
            "price": {"type": ["number", "null"]},
            "kind": {"enum": ["big", "small", 3]},
            "loud": {"type": "boolean"},
            "rows": {"type": "array", "default": [1]},
        },
        ["name", "price", "loud"],
    )
    assert [(field.name, field.kind, field.first, field.blank) for field in form_of(schema).fields] == [
        ("name", "text", "", "refused"),
        ("many", "integer", "3", "left out"),
        ("price", "number", "", "null"),
        ("kind", "choice", "", "left out"),
        ("loud", "choice", "", "refused"),
        ("rows", "json", "[1]", "left out"),
    ]
    assert [field.note for field in form_of(schema).fields][:2] == ["Whose it is; matches ^[a-z]+$", "at least 1"]


@pytest.mark.parametrize(
    "schema",
    [
        None,
        {},
        {"type": "array"},
        {"type": "object"},
        {"type": "object", "properties": {}},
        {"type": "object", "properties": {f"p{number}": {} for number in range(MOST_FIELDS + 1)}},
        {"anyOf": [{"type": "object", "properties": {"a": {}}}]},
    ],
)
def test_what_has_no_plain_fields_is_typed_as_json(schema: dict[str, Any] | None) -> None:
    form = form_of(schema)
    assert (form.fields, form.raw) == ((), "{}")
    assert read(form, {RAW: '{"a": [1]}'}).value == {"a": [1]}
    assert read(form, {RAW: ""}).errors == {RAW: "is required: JSON"}


def test_json_goes_before_the_fields() -> None:
    form = Form((Field("many", "integer"),))
    assert read(form, {"field.many": "x", RAW: '{"many": 4}'}).value == {"many": 4}
    assert set(read(form, {"field.many": "4", RAW: "{"}).errors) == {RAW}


@pytest.mark.parametrize(
    ("kind", "typed", "told"),
    [
        ("integer", "3.5", "'3.5' is no whole number"),
        ("integer", "٣", "'٣' is no whole number"),
        ("number", "Infinity", "'Infinity' is no number"),
        ("number", "1e999", "'1e999' is no number"),
        ("text", "  ", 'is required (an empty text is typed as JSON: "")'),
        ("json", "{", "is no JSON: Expecting property name enclosed in double quotes (line 1, column 2)"),
        ("json", "[" * 70 + "]" * 70, "is no JSON: nested deeper than 64"),
        ("choice", "4", "'4' is none of the choices"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(kind: Any, typed: str, told: str) -> None:
    assert read(Form((Field("x", kind),)), {"field.x": typed}).errors == {"field.x": told}
