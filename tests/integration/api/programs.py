"""Workflows for the tests of the HTTP interfaces."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from durable import RetryPolicy, activity, call, gather, receive, serializable, set_status, sleep, workflow

broken: list[str] = []
"""Why `deliver` fails, while it does."""


@serializable
@dataclass(frozen=True)
class Receipt:
    number: int


@activity(retry=RetryPolicy(attempts=1))
def deliver(parcel: Any) -> Any:
    if broken:
        raise RuntimeError(broken[-1])
    return parcel


@workflow
def echo(value: Any) -> Any:
    return value


@workflow
def delivery(parcel: Any = "nothing") -> Any:
    set_status({"delivering": parcel})
    return deliver(parcel)


@workflow
def approval(subject: str) -> dict[str, Any]:
    """Waits for a decision."""
    decision = receive("Approval", timeout=timedelta(days=3))
    assert decision is not None
    return {"subject": subject, "approved": decision.payload}


@workflow
def everything(cities: list[str]) -> Receipt:
    """Has one of every kind in its history."""
    gather(*(call(deliver, city) for city in cities))
    sleep(timedelta(seconds=0))
    return Receipt(len(cities))


@workflow(reuse="reject")
def once(value: Any) -> Any:
    return value


@workflow(reuse="terminate")
def anew(value: Any) -> Any:
    return value


@workflow
def two_arguments(_first: int, _second: int) -> None:
    """Cannot be begun by its input."""


WORKFLOWS = (echo, delivery, approval, everything, once, anew, two_arguments)
