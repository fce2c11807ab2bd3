"""What `durable.testing` offers to crash with: at a name, at a number, or not at all."""

from collections.abc import Callable

import pytest

from durable import activity, workflow
from durable.testing import Crash, InlineWorker, crash_at, points_passed

Inline = Callable[..., InlineWorker]
calls: list[str] = []


@activity
def note(what: str) -> None:
    calls.append(what)


@workflow
def noting() -> None:
    try:
        note("first")
        note("second")
    except Exception:
        note("caught")
        raise


@pytest.fixture(autouse=True)
def _nothing_called() -> None:
    calls.clear()


@pytest.mark.parametrize(
    ("point", "nth", "called"),
    [
        ("call.before note", 1, []),
        ("call.after note", 1, ["first"]),
        ("call.before note", 2, ["first"]),
        ("call.after note", 2, ["first", "second"]),
        (None, 1, []),
    ],
)
def test_a_worker_dies_where_it_was_told_to(inline: Inline, point: str | None, nth: int, called: list[str]) -> None:
    worker = inline(noting)
    worker.client.start(noting, workflow_id="w")
    with crash_at(point, nth=nth):
        worker.run_until_idle()
        pytest.fail("it should be dead")
    assert calls == called
    assert worker.client.describe("w").state != "completed"


def test_points_are_numbered_as_they_are_listed(inline: Inline) -> None:
    witness = inline(noting)
    witness.client.start(noting, workflow_id="w")
    with points_passed() as points:
        witness.run_until_idle()
    for nth in range(1, len(points) + 1):
        calls.clear()
        doomed = inline(noting)
        doomed.client.start(noting, workflow_id=f"w{nth}")
        with crash_at(nth=nth):
            doomed.run_until_idle()
        assert len(calls) == points[:nth].count("call.after note")
        doomed.close()
        inline(noting).run_until_idle()
        assert doomed.client.describe(f"w{nth}").state == "completed"


def test_a_point_that_the_code_does_not_come_to_is_told_with_those_it_passed(inline: Inline) -> None:
    worker = inline(noting)
    worker.client.start(noting, workflow_id="w")
    with (
        pytest.raises(
            AssertionError, match=r"did not come to call.after note 3 times; it passed \['commit.before claim"
        ),
        crash_at("call.after note", nth=3),
    ):
        worker.run_until_idle()
    assert calls == ["first", "second"]


def test_an_error_in_the_block_is_no_crash_and_comes_through(inline: Inline) -> None:
    worker = inline(noting)
    with pytest.raises(LookupError), crash_at("call.before note"):
        raise LookupError
    worker.client.start(noting, workflow_id="w")
    worker.run_until_idle()
    assert calls == ["first", "second"]
    assert not issubclass(Crash, Exception)
