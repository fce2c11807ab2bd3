"""Values as people may read them: as JSON, without secrets, and not too long."""

from dataclasses import dataclass
from decimal import Decimal
from time import perf_counter
from typing import Any

import pytest

from bot.dashboard.values import Shown, Values
from bot.redaction import MASK, Redactor
from durable import serializable
from durable.serde import encode

values = Values(Redactor(["the-known-secret"]))


@serializable
@dataclass(frozen=True)
class Crate:
    number: int
    api_key: str


def test_a_value_is_shown_as_plain_json() -> None:
    assert values.encoded(encode({"a": [1, Decimal("1.5")], "p": Crate(7, "k")})).text == (
        '{\n  "a": [\n    1,\n    "1.5"\n  ],\n  "p": {\n    "number": 7,\n    "api_key": "[hidden]"\n  }\n}'
    )
    assert values.encoded(None) == Shown("null")


@pytest.mark.parametrize(
    "key",
    ["token", "Password", "client_secret", "AUTHORIZATION", "api_key", "apiKey", "x-api-key", "private_key", "cookie"],
)
def test_what_stands_under_a_key_that_says_it_is_secret_is_masked(key: str) -> None:
    assert values.of({"outer": [{key: "abc"}, {key: 123456}, {key: {"inner": "x"}}]}).text.count(MASK) == 3


def test_that_there_is_no_secret_may_be_told() -> None:
    assert MASK not in values.of({"token": None, "has_password": True}).text


def test_known_secrets_and_what_looks_like_one_are_masked_wherever_they_are() -> None:
    for text in ("see the-known-secret", "xoxb-1-2-abc", "ghp_abcdefghijkl", "Authorization: Bearer abcdefgh"):
        assert MASK in values.of({"note": text}).text
        assert MASK in values.text(text)
        assert MASK in values.short({"note": text})


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("refused password=hunter2 for ada", "refused password=[hidden] for ada"),
        ("{'db_password': 'hunter 2', 'user': 'ada'}", "{'db_password': [hidden], 'user': 'ada'}"),
        ('{"api_key": "abc", "n": 1}', '{"api_key": [hidden], "n": 1}'),
        ("?token=abc&page=2", "?token=[hidden]&page=2"),
        ("unexpected token: expected a comma", "unexpected token: expected a comma"),
    ],
)
def test_what_a_text_gives_to_such_a_key_is_masked(text: str, masked: str) -> None:
    assert values.text(text) == masked


def test_a_long_value_is_cut_after_it_was_masked() -> None:
    shown = values.of({"password": "x" * 50, "rest": "y" * 5_000}, most=100)
    assert len(shown.text) == 100
    assert "xxx" not in shown.text
    assert shown.left_out > 4_000


@pytest.mark.parametrize("word", ["y", "token", "token=", "password='", "x ", '\\"'])
def test_a_long_text_is_gone_through_once(word: str) -> None:
    text = word * 100_000
    began = perf_counter()
    values.encoded(encode(text))
    assert perf_counter() - began < 2


def test_what_this_process_cannot_read_is_shown_as_it_is_stored() -> None:
    assert '"FromAnotherRelease"' in values.encoded('{"$":"data","of":"FromAnotherRelease","v":{}}').text
    assert values.encoded("no json").text == '"no json"'


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (None, ""),
        ("two\nlines", "two lines"),
        (3, "3"),
        ({"turn": {"reason": "draft", "who": ["ada", None]}, "none": None}, "turn: {reason: draft, who: [ada, none]}"),
        ({"secret": "abc"}, "secret: [hidden]"),
        ("x" * 200, "x" * 89 + "…"),
    ],
)
def test_a_value_in_a_line(value: Any, line: str) -> None:
    assert values.short(value) == line
