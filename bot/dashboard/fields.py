"""A form made of a JSON Schema, and the value that was typed into it. Pure.

What has a plain type gets a field of its own; whatever else is typed as JSON. The whole may always be typed as JSON
instead. What is read here has the types that the schema names; the rest of the schema is for whoever checks it.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from bot.api.json import read_json

RAW = "raw"
"""The name of the field for the whole as JSON."""
PREFIX = "field."
MOST_FIELDS = 40
_INTEGER = re.compile(r"[+-]?[0-9]{1,400}")
_MOST_NOTE = 500
_NULL = "null"

Kind = Literal["text", "integer", "number", "choice", "json"]
Blank = Literal["refused", "left out", "null"]


@dataclass(frozen=True)
class Choice:
    """One of several values: `value` is its JSON text."""

    value: str
    label: str


@dataclass(frozen=True)
class Field:
    """One field. `first` is what stands in it at first; `blank` says what it means when nothing does."""

    name: str
    kind: Kind
    note: str = ""
    first: str = ""
    blank: Blank = "refused"
    choices: tuple[Choice, ...] = ()

    @property
    def key(self) -> str:
        """Its name in the form."""
        return PREFIX + self.name


@dataclass(frozen=True)
class Form:
    """The fields, none where only JSON will do; `raw` is what stands in the field for JSON at first."""

    fields: tuple[Field, ...] = ()
    raw: str = ""


@dataclass(frozen=True)
class Typed:
    """What was typed: its value, or what is wrong, by the name of the field in the form."""

    value: Any = None
    errors: Mapping[str, str] = field(default_factory=dict)


def form_of(schema: Mapping[str, Any] | None) -> Form:
    """The form for values of this schema; without one, or for a schema of another kind, JSON alone."""
    if schema is None:
        return Form(raw="{}")
    properties = schema.get("properties")
    plain = schema.get("type") == "object" and isinstance(properties, dict) and 0 < len(properties) <= MOST_FIELDS
    if not plain or not isinstance(properties, dict):
        return Form(raw=_first(schema) or "{}")
    required = schema.get("required", ())
    names = required if isinstance(required, list) else ()
    return Form(tuple(field_of(name, its, required=name in names) for name, its in properties.items()))


def field_of(name: str, schema: Any, *, required: bool) -> Field:
    """The field for one value of this schema."""
    schema = schema if isinstance(schema, dict) else {}
    plain, nullable = _without_null(schema)
    blank: Blank = "left out" if not required else "null" if nullable else "refused"
    note = _note(schema)
    choices = _choices(plain, nullable=nullable)
    if choices:
        return Field(name, "choice", note, _first(schema, as_json=True), blank, choices)
    kinds: dict[Any, Kind] = {"string": "text", "integer": "integer", "number": "number"}
    type_ = plain.get("type")
    kind = kinds.get(type_, "json") if isinstance(type_, str) else "json"
    return Field(name, kind, note, _first(schema, as_json=kind == "json"), blank)


def read(form: Form, typed: Mapping[str, str]) -> Typed:
    """The value of what was typed, by the names of the fields. JSON for the whole goes before the fields."""
    raw = typed.get(RAW, "")
    if raw.strip() or not form.fields:
        try:
            return Typed(_json(raw))
        except ValueError as problem:
            return Typed(errors={RAW: str(problem)})
    found: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for each in form.fields:
        text = typed.get(each.key, "")
        if not text.strip() and each.blank != "refused":
            found |= {each.name: None} if each.blank == "null" else {}
            continue
        try:
            found[each.name] = value_of(each, text)
        except ValueError as problem:
            errors[each.key] = str(problem)
    return Typed(errors=errors) if errors else Typed(found)


def value_of(each: Field, text: str) -> Any:
    """The value of what was typed into a field. Raises `ValueError`, which says what may be typed."""
    if not text.strip():
        also = ' (an empty text is typed as JSON: "")' if each.kind == "text" else ""
        raise ValueError(f"is required{also}")
    if each.kind == "text":
        return text
    text = text.strip()
    if each.kind == "integer":
        if not _INTEGER.fullmatch(text):
            raise ValueError(f"{_short(text)} is no whole number")
        return int(text)
    if each.kind == "number":
        return _number(text)
    if each.kind == "choice":
        if text not in {choice.value for choice in each.choices}:
            raise ValueError(f"{_short(text)} is none of the choices")
        return json.loads(text)
    return _json(text)


def _json(text: str) -> Any:
    if not text.strip():
        raise ValueError("is required: JSON")
    try:
        return read_json(text.encode())
    except json.JSONDecodeError as problem:
        raise ValueError(f"is no JSON: {problem.msg} (line {problem.lineno}, column {problem.colno})") from problem
    except ValueError as problem:
        raise ValueError(f"is no JSON: {str(problem)[:_MOST_NOTE]}") from problem


def _number(text: str) -> int | float:
    try:
        value = _json(text.removeprefix("+"))
    except ValueError:
        value = None
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) == float("inf"):
        raise ValueError(f"{_short(text)} is no number")
    return value


def _without_null(schema: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
    """The schema of what is not null, and whether null is allowed: as `["string", "null"]` or as one of two."""
    types = schema.get("type")
    if isinstance(types, list) and len(types) == 2 and _NULL in types:
        [other] = [type_ for type_ in types if type_ != _NULL] or [_NULL]
        return {**schema, "type": other}, True
    either = schema.get("anyOf")
    if isinstance(either, list) and len(either) == 2 and {"type": _NULL} in either:
        others = [one for one in either if one != {"type": _NULL}]
        if others and isinstance(others[0], dict):
            return others[0], True
    return schema, False


def _choices(schema: Mapping[str, Any], *, nullable: bool) -> tuple[Choice, ...]:
    values: Sequence[Any] = ()
    if isinstance(schema.get("enum"), list):
        values = schema["enum"]
    elif "const" in schema:
        values = [schema["const"]]
    elif schema.get("type") == "boolean":
        values = [True, False]
    return tuple(
        Choice(json.dumps(value), value if isinstance(value, str) else json.dumps(value))
        for value in values
        if not (nullable and value is None)
    )


def _first(schema: Mapping[str, Any], *, as_json: bool = True) -> str:
    """The default, as it is typed; empty without one."""
    if "default" not in schema or schema["default"] is None:
        return ""
    default = schema["default"]
    return default if isinstance(default, str) and not as_json else json.dumps(default)


def _note(schema: Mapping[str, Any]) -> str:
    """What the schema says about it, and what it has to keep to where that is a line."""
    said = [schema[key] for key in ("description", "title") if isinstance(schema.get(key), str)][:1]
    kept = [
        f"{word} {schema[key]}"
        for key, word in (
            ("minimum", "at least"),
            ("maximum", "at most"),
            ("exclusiveMinimum", "more than"),
            ("exclusiveMaximum", "less than"),
            ("pattern", "matches"),
            ("format", "format"),
        )
        if isinstance(schema.get(key), int | float | str) and not isinstance(schema.get(key), bool)
    ]
    return "; ".join([*said, *kept])[:_MOST_NOTE]


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:60]}…")
