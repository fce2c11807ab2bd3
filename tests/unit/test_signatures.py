"""Arguments of workflows: asked for by the signature, and checked against it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Literal

import pytest

from bot.dashboard.fields import Form
from bot.dashboard.signatures import WrongArguments, bound, form_of_function, parameters_of
from durable import serializable


@serializable
@dataclass(frozen=True)
class Parcel:
    number: int
    to: str = "nobody"


class Colour(Enum):
    RED = "red"


class Opaque:
    pass


def order(
    name: str,
    many: int,
    parcel: Parcel,
    price: float | None,
    kind: Literal["big", "small"] = "small",
    loud: bool = False,
    tags: list[str] | None = None,
    since: datetime | None = None,
) -> None:
    """One of each type."""


def untyped(value, other=3):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201 - as operators write them
    """Without types."""


def opaque(thing: Opaque, word: str) -> None:
    """Of a type nobody can check."""


def unknown(thing: "NotThere") -> None:  # type: ignore[name-defined] # noqa: F821 - that is the point
    """Of a type that there is not."""


def varying(*numbers: int, **words: str) -> None:
    """Of as many as one likes."""


def by_place(first: int, /, second: int = 2) -> None:
    """The first by its place only."""


def test_each_parameter_has_a_field_of_its_type() -> None:
    assert [(field.name, field.kind, field.first, field.blank) for field in form_of_function(order).fields] == [
        ("name", "text", "", "refused"),
        ("many", "integer", "", "refused"),
        ("parcel", "json", "", "refused"),
        ("price", "number", "", "null"),
        ("kind", "choice", '"small"', "left out"),
        ("loud", "choice", "false", "left out"),
        ("tags", "json", "", "left out"),
        ("since", "text", "", "left out"),
    ]
    assert [field.note for field in form_of_function(order).fields][:3] == ["str", "int", "Parcel"]


@pytest.mark.parametrize("function", [untyped, opaque, unknown, by_place])
def test_a_type_that_nobody_can_check_is_typed_as_json(function: Callable[..., Any]) -> None:
    assert form_of_function(function).fields
    assert [parameter.name for parameter in parameters_of(function)]


def test_what_takes_as_many_as_one_likes_is_typed_as_json_alone() -> None:
    assert form_of_function(varying) == Form(raw="{}")
    assert [parameter.name for parameter in parameters_of(varying)] == ["*numbers", "**words"]
    assert bound(varying, {}).args == ()


def test_values_become_what_the_types_say() -> None:
    call = bound(
        order,
        {"name": "x", "many": 2, "parcel": {"number": 7}, "price": None, "since": "2026-11-22T10:00:00Z"},
    )
    assert call.arguments["parcel"] == Parcel(7)
    assert call.arguments["since"] == datetime.fromisoformat("2026-11-22T10:00:00+00:00")
    assert bound(by_place, {"first": 1, "second": 3}).args == (1, 3)


@pytest.mark.parametrize(
    ("given", "errors"),
    [
        ([1], {"": "has to be an object with a value for each parameter"}),
        ({"name": 3, "many": "x", "parcel": {"number": "y"}, "price": 1}, {"name", "many", "parcel"}),
        ({"name": "x"}, {"": "missing a required argument: 'many'"}),
        ({"nobody": 1}, {"": "missing a required argument: 'name'"}),
    ],
)
def test_what_does_not_fit_is_said_beside_its_parameter(given: Any, errors: Any) -> None:
    with pytest.raises(WrongArguments) as refused:
        bound(order, given)
    told = refused.value.errors
    assert (told if isinstance(errors, dict) else set(told)) == errors


def test_what_cannot_be_stored_is_refused() -> None:
    def colours(colour: Colour) -> None:
        """Takes an enumeration that is not registered."""

    with pytest.raises(WrongArguments, match="no form in JSON"):
        bound(colours, {"colour": "red"})
