"""What was given, under the names that the code gives to it."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Connection

from bot.dashboard.arguments import Arguments
from durable import activity, transaction, workflow
from durable.model import Entry
from durable.replay import encode_input


@activity
def pay_the_bill(amount: int, password: str = "", *, note: str = "") -> None: ...


@transaction
def write_it_down(connection: Connection, line: str) -> None: ...


@activity
def take_all(*given: Any) -> None: ...


@workflow
def settle(month: str, token: str) -> None: ...


known = Arguments({"settle": settle})


def step(name: str, *args: Any, kind: str = "activity", **kwargs: Any) -> Any:
    entry = Entry(1, kind, name, "done", datetime(2026, 1, 1, tzinfo=UTC), arguments=encode_input(args, kwargs))
    return known.of_step(entry)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (step("pay_the_bill", 7, "geheim"), {"amount": 7, "password": "geheim"}),
        (step("pay_the_bill", 7, note="x"), {"amount": 7, "note": "x"}),
        (step("pay_the_bill", amount=7), {"amount": 7}),
        (step("pay_the_bill", 1, 2, 3), [1, 2, 3]),
        (step("write_it_down", "a line"), {"line": "a line"}),
        (step("take_all", 1, 2), [1, 2]),
        (step("unheard_of", 1), 1),
        (step("unheard_of", 1, two=2), {"by position": [1], "two": 2}),
        (step("unheard_of"), None),
        (step("pay_the_bill", 1, kind="child"), 1),
        (known.of_run("settle", encode_input(("2026-10", "t"), {})), {"month": "2026-10", "token": "t"}),
        (known.of_run("unheard_of", encode_input(("2026-10",), {})), "2026-10"),
        (known.of_run("settle", '{"$":"data","of":"Gone","v":{}}'), '{"$":"data","of":"Gone","v":{}}'),
        (known.of_run("settle", '"(9999 bytes, not read here)"'), "(9999 bytes, not read here)"),
    ],
)
def test_what_was_given_has_the_names_of_the_parameters(given: Any, expected: Any) -> None:
    assert given == expected


def test_a_member_of_a_gather_is_known_by_its_activity() -> None:
    name = f"@{pay_the_bill.function.__module__}.pay_the_bill"
    assert known.of_run(name, encode_input((7, "geheim"), {})) == {"amount": 7, "password": "geheim"}


def test_a_step_that_was_given_nothing_has_nothing() -> None:
    assert known.of_step(Entry(1, "sleep", "", "done", datetime(2026, 1, 1, tzinfo=UTC))) is None
