from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable import NotSerializable, serializable
from durable.errors import Undecodable
from durable.serde import decode, encode


@serializable
class Colour(Enum):
    RED = 1
    BLUE = "b"


@serializable
@dataclass(frozen=True)
class Point:
    x: int
    y: tuple[int, ...] = ()
    colour: Colour = Colour.RED


class Stranger:
    pass


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.decimals(allow_nan=False)
    | st.uuids()
    | st.datetimes(timezones=st.just(UTC))
    | st.dates()
    | st.timedeltas()
    | st.sampled_from(Colour),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text() | st.integers(), inner)
        | st.builds(tuple, st.lists(inner))
        | st.builds(lambda x, colour: Point(x, (1, 2), colour), st.integers(), st.sampled_from(Colour))
    ),
    max_leaves=20,
)


@given(plain)
def test_every_value_comes_back_equal_and_of_its_type(value: Any) -> None:
    back = decode(encode(value))
    assert (back, type(back)) == (value, type(value))


@pytest.mark.parametrize(
    "value",
    [
        {1, 2},
        frozenset({"a"}),
        {"$": "looks like a tag", "v": 1},
        {(1, 2): {3}},
        [datetime(2026, 1, 1, tzinfo=UTC), date(2026, 1, 1), timedelta(days=-1, microseconds=3)],
        [Decimal("1.10"), UUID(int=5), b"\x00\xff", "\u0000 and \U0001f600"],
        float("inf"),
    ],
)
def test_tagged_types_come_back_equal(value: Any) -> None:
    assert decode(encode(value)) == value


def test_the_stored_text_holds_no_nul_character() -> None:
    assert "\x00" not in encode("a\u0000b")


def test_an_unknown_type_is_refused_with_the_path_to_it() -> None:
    with pytest.raises(NotSerializable, match=r"value\['a'\]\[1\]\.y: .*Stranger has no form in JSON"):
        encode({"a": [1, Point(1, Stranger())]})  # type: ignore[arg-type] # on purpose


def test_a_dataclass_that_is_not_registered_is_named_with_its_remedy() -> None:
    @dataclass
    class Unregistered:
        x: int

    with pytest.raises(NotSerializable, match=r"register it with @durable\.serializable"):
        encode(Unregistered(1))


def test_a_value_that_contains_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(NotSerializable, match="nested deeper"):
        encode(loop)


def test_a_field_that_was_removed_is_dropped_and_one_that_was_added_takes_its_default() -> None:
    assert decode('{"$":"data","of":"Point","v":{"x":1,"gone":2}}') == Point(1)


def test_a_reference_to_what_is_not_there_is_undecodable_and_names_it() -> None:
    with pytest.raises(Undecodable, match=f"the content {'0f' * 32} is missing"):
        decode(f'["a",{{"$":"stored","v":"{"0f" * 32}"}}]')


@pytest.mark.parametrize("text", ['{"$":"data","of":"Nobody","v":{}}', '{"$":"new"}', "{", '{"$":"uuid","v":"x"}'])
def test_what_this_code_cannot_read_is_undecodable(text: str) -> None:
    with pytest.raises(Undecodable):
        decode(text)


def test_two_classes_of_one_name_are_refused() -> None:
    @dataclass
    class Point:
        z: int

    with pytest.raises(TypeError, match="already registered"):
        serializable(Point)
