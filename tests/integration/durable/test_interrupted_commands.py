"""Commands from outside whose caller died around their commit and says them again, under the same key: they count once."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from durable import Cancelled, WorkflowClosed, WorkflowIdTaken, injection, receive, workflow
from durable.client import Client
from durable.testing import InlineWorker

Inline = Callable[..., InlineWorker]


class Crash(BaseException):
    """The caller dies here."""


@workflow
def listening() -> list[Any]:
    heard = []
    try:
        while (signal := receive(timeout=10)) is not None:
            heard.append(signal.payload)
    except Cancelled as reason:
        heard.append(str(reason))
    return heard


def start(client: Client) -> bool:
    return client.start(listening, workflow_id="w", reuse="reject").is_new


def signal(client: Client) -> bool:
    return client.signal("w", "tell", "news", key="one")


def signal_with_start(client: Client) -> bool:
    return client.signal_with_start(listening, workflow_id="w", signal="tell", payload="news", key="one")


def cancel(client: Client) -> bool:
    return client.cancel("w", "enough")


def interrupt(point: str, command: Callable[[], object]) -> None:
    """Let the caller die at this point of its command."""

    def crash(reached: str) -> None:
        if reached == point:
            raise Crash

    injection.install(crash)
    with pytest.raises(Crash):
        command()
    injection.install(None)


@pytest.fixture
def client(inline: Inline) -> Iterator[tuple[Client, InlineWorker]]:
    worker = inline(listening)
    yield worker.client, worker
    injection.install(None)


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize(
    ("command", "label", "heard", "too_late"),
    [
        (start, "start", [], WorkflowIdTaken),
        (signal, "signal", ["news"], False),
        (signal_with_start, "signal", ["news"], False),
        (cancel, "cancel", ["enough"], WorkflowClosed),
    ],
)
def test_a_command_that_was_interrupted_around_its_commit_and_said_again_counts_once(
    client: tuple[Client, InlineWorker],
    side: str,
    command: Callable[[Client], bool],
    label: str,
    heard: list[str],
    too_late: Any,
) -> None:
    asked, worker = client
    if command in (signal, cancel):
        start(asked)
        worker.run_until_idle()
    interrupt(f"commit.{side} {label}", lambda: command(asked))
    assert command(asked) is (side == "before")
    assert command(asked) is False
    worker.run_for(timedelta(minutes=1))
    described = asked.describe("w")
    assert (described.state, described.run, described.result) == ("completed", 1, heard)
    if too_late is False:
        assert command(asked) is False
    else:
        with pytest.raises(too_late):
            command(asked)
    assert worker.run_for(timedelta(minutes=1)) == 0
