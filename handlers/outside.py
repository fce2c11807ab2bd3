"""The door to Slack and GitHub: how activities get at them, and what their errors mean to the engine."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from durable import Activity, ActivityDecorator, Found, InDoubt, Park, RetryAfter, RetryPolicy, activity, resource
from integrations.github import api as github_words
from integrations.github.api import GitHub
from integrations.slack import api as slack_words
from integrations.slack.api import Slack

P = ParamSpec("P")
R = TypeVar("R")

SETTLE_S = 2.0
"""How long a call that timed out may still take effect at Slack."""

PATIENT = RetryPolicy(first=0.5, factor=2.0, longest=60.0, attempts=None)
"""However long Slack or GitHub is away, it is worth waiting for."""

CALL_S = 10.0
"""How long a call, or a look whether it happened, may take."""

FOR_GOOD = (slack_words.Refused, github_words.NotFound, github_words.Forbidden)
"""What no repeat would change."""


def slack() -> Slack:
    """Slack, inside an activity."""
    return resource(Slack)  # type: ignore[type-abstract] # the engine keys resources by class, a Protocol will do


def github() -> GitHub:
    """GitHub, inside an activity."""
    return resource(GitHub)  # type: ignore[type-abstract] # as above


@contextmanager
def steering() -> Iterator[None]:
    """Turn what an integration raises into what the engine acts on: come back later, look first, wait to be mended.
    What is left is tried again by policy, save the errors in `FOR_GOOD`."""
    try:
        yield
    except (slack_words.RateLimited, github_words.RateLimited) as limited:
        raise RetryAfter(limited.retry_after, str(limited)) from limited
    except slack_words.Uncertain as uncertain:
        raise InDoubt(str(uncertain), settle=SETTLE_S if uncertain.timed_out else 0.0) from uncertain
    except slack_words.Unauthorized as refused:
        raise Park("slack", str(refused)) from refused
    except github_words.Unauthorized as refused:
        raise Park("github", str(refused)) from refused


def outward(*, timeout: float = CALL_S) -> ActivityDecorator:
    """Declare an activity that reads, or whose effect is the same however often it is repeated. `timeout` in seconds."""
    declared = activity(retry=PATIENT, non_retryable=FOR_GOOD, timeout=timeout)

    def declare(function: Callable[P, R], /) -> Activity[P, R]:
        return declared(steering()(function))

    return declare


def verified(
    verify: Callable[P, Found[R] | None], *, timeout: float = CALL_S
) -> Callable[[Callable[P, R]], Activity[P, R]]:
    """Declare an activity whose effect must not happen twice: `verify` looks whether it happened. A look may take all
    of `timeout` (seconds); the call itself is also bound by the worker's lease."""

    def declare(function: Callable[P, R]) -> Activity[P, R]:
        declared = activity(verify=steering()(verify), retry=PATIENT, non_retryable=FOR_GOOD, timeout=timeout)
        return declared(steering()(function))

    return declare
