"""References in texts: found wherever they stand, put back whole, and never seen where there are none."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable import NotSerializable, serializable
from durable.payloads import (
    MOST_EVER,
    REFERENCE_LENGTH,
    Payloads,
    expand,
    hash_of,
    is_reference,
    reference_to,
    referred_to,
)
from durable.serde import TAG, decode, encode

HASH = hash_of("content")
LOOKS_LIKE = reference_to(HASH)


@serializable
@dataclass(frozen=True)
class stored:  # noqa: N801 - a name that looks like the tag
    v: Any


look_alikes = st.sampled_from(
    [
        LOOKS_LIKE,
        json.dumps(LOOKS_LIKE),
        LOOKS_LIKE[1:-1],
        "{" + LOOKS_LIKE,
        '\\"' + LOOKS_LIKE,
        '{"$":',
        '"$":"stored"',
        '"',
        "\\",
        "{",
        "$",
        "stored",
        HASH,
    ]
)


@st.composite
def strings(draw: st.DrawFn) -> str:
    return "".join(draw(st.lists(look_alikes | st.text(max_size=3), max_size=3)))


values = st.recursive(
    strings() | st.integers() | st.none() | st.just({TAG: "stored", "v": HASH}) | st.builds(stored, strings()),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(strings(), inner)
        | st.builds(tuple, st.lists(inner))
        | st.builds(stored, inner)
        | st.builds(lambda tag, value: {TAG: tag, "v": value}, strings(), inner)
    ),
    max_leaves=5,
)


@given(values)
def test_no_value_is_encoded_to_something_that_looks_like_a_reference(value: Any) -> None:
    text = encode(value)
    assert referred_to(text) == frozenset()
    assert expand(text, {HASH: "1"}) == text
    assert decode(text) == value


@given(st.lists(st.tuples(values, st.booleans()), max_size=3))
def test_a_text_put_together_of_texts_and_references_is_expanded_to_all_of_them(parts: list[tuple[Any, bool]]) -> None:
    texts = [encode(value) for value, _ in parts]
    contents = {hash_of(text): text for text in texts}
    spliced = [
        reference_to(hash_of(text)) if is_large else text for text, (_, is_large) in zip(texts, parts, strict=True)
    ]
    together = "[" + ",".join(spliced) + "]"
    assert referred_to(together) == {
        hash_of(text) for text, (_, is_large) in zip(texts, parts, strict=True) if is_large
    }
    assert decode(expand(together, contents)) == [value for value, _ in parts]


@given(values, st.integers(1, 4))
def test_references_in_contents_are_expanded_too(value: Any, depth: int) -> None:
    contents: dict[str, str] = {}
    text, expected = encode(value), value
    for _ in range(depth):
        contents[hash_of(text)] = text
        text, expected = f"[0,{reference_to(hash_of(text))}]", [0, expected]
    assert decode(expand(text, contents)) == expected


def test_a_reference_whose_content_is_not_given_stays() -> None:
    other = reference_to(hash_of("other"))
    assert expand(f"[{LOOKS_LIKE},{other}]", {HASH: "1"}) == f"[1,{other}]"


def test_only_a_whole_text_is_a_reference() -> None:
    assert is_reference(LOOKS_LIKE)
    assert len(LOOKS_LIKE) == REFERENCE_LENGTH
    assert not any(map(is_reference, (f"[{LOOKS_LIKE}]", LOOKS_LIKE.replace("$", "€"), encode(LOOKS_LIKE), "null")))


def test_a_text_stays_in_its_row_up_to_the_one_limit_or_the_other() -> None:
    assert Payloads(offload_over=100, most=1000).inline == 100
    assert Payloads(offload_over=None, most=1000).inline == 1000


@serializable
@dataclass(frozen=True)
class Report:
    title: str
    pages: Any


@pytest.mark.parametrize(
    ("value", "culprit", "size"),
    [
        ("x" * 2000, "value", 2002),
        ([[{"a": 1, "what": ["x" * 2000]}], {}], "value[0][0]['what'][0]", 2002),
        (["x" * 900, "y" * 900], "value", 1807),
        (Report("short", ("a", {2: "x" * 1500})), "value.pages[1][2]", 1502),
        ({TAG: {"x" * 1200}}, "value['$'][0]", 1202),
        (b"x" * 3000, "value", 4020),
    ],
)
def test_what_is_too_large_is_refused_with_the_path_to_it_its_size_the_limit_and_the_remedy(
    value: Any, culprit: str, size: int
) -> None:
    payloads = Payloads(offload_over=None, most=1000)
    with pytest.raises(NotSerializable) as refused:
        payloads.fitting(encode(value))
    assert str(refused.value) == (
        f"{culprit}: takes {size} characters of JSON, more than the 1000 that are stored of one value; keep it elsewhere "
        "and hand on its name, or give the Database larger Payloads"
    )
    assert payloads.fitting("x" * 1000) == "x" * 1000


@pytest.mark.parametrize(
    "options",
    [
        {"most": 0},
        {"most": MOST_EVER + 1},
        {"offload_over": REFERENCE_LENGTH - 1},
        {"offload_over": 2000, "most": 1000},
    ],
)
def test_limits_that_make_no_sense_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="Payloads: "):
        Payloads(**options)
