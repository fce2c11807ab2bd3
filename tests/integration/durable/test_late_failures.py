"""A gather that waits for all and then fails: what is raised, what is kept, and what a rewind runs again."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from durable import ActivityFailed, RetryPolicy, activity, call, gather, workflow
from durable.client import Client
from durable.errors import WorkflowNotFound
from durable.operator import Operator
from durable.postgres import Database
from durable.testing import InlineWorker

Inline = Callable[..., InlineWorker]
calls: list[str] = []
broken: set[str] = set()


@pytest.fixture(autouse=True)
def _nothing_called() -> None:
    calls.clear()
    broken.clear()


@activity(retry=RetryPolicy(attempts=1))
def build(part: str) -> str:
    calls.append(part)
    if part in broken:
        raise OSError(f"{part} is broken")
    return part.upper()


@workflow
def assembly(first: str, second: str) -> list[str]:
    return [build(first), build(second)]


@workflow
def product(*parts: str) -> list[Any]:
    return gather(*(call(build, part) for part in parts), wait_for_all=True, raise_failed=True)


@workflow
def of_assemblies() -> list[Any]:
    members = (call(assembly, "a", "b"), call(build, "c"), call(assembly, "d", "e"), call(build, "f"))
    return gather(*members, wait_for_all=True, raise_failed=True)


def test_every_member_is_waited_for_and_then_the_first_failure_in_the_order_of_the_calls_is_raised(
    database: Database, inline: Inline
) -> None:
    broken.update({"wing", "tail"})
    worker = inline(product)
    worker.client.start(product, "nose", "wing", "tail", "wheel", workflow_id="plane")
    worker.run_until_idle()
    plane = Client(database).describe("plane")
    assert (plane.state, plane.reason) == ("failed", "OSError: wing is broken")
    assert sorted(calls) == ["nose", "tail", "wheel", "wing"]


def test_a_rewind_runs_only_the_failed_members_again_and_the_order_of_the_results_stays(
    database: Database, inline: Inline
) -> None:
    broken.update({"wing", "tail"})
    worker = inline(product)
    worker.client.start(product, "nose", "wing", "tail", "wheel", workflow_id="plane")
    worker.run_until_idle()
    for mended, again in (("wing", ["tail", "wing"]), ("tail", ["tail"])):
        calls.clear()
        broken.remove(mended)
        Operator(database).rewind("plane", f"{mended} mended")
        worker.run_until_idle()
        assert sorted(calls) == again
    assert Client(database).describe("plane").result == ["NOSE", "WING", "TAIL", "WHEEL"]


def test_a_rewind_rewinds_children_so_that_what_they_had_done_is_not_done_again(
    database: Database, inline: Inline
) -> None:
    broken.update({"b", "e", "f"})
    worker = inline(of_assemblies, assembly)
    worker.client.start(of_assemblies, workflow_id="house")
    worker.run_until_idle()
    assert Client(database).describe("house").reason == "OSError: b is broken"
    calls.clear()
    broken.clear()
    Operator(database).rewind("house", "mended")
    worker.run_until_idle()
    assert sorted(calls) == ["b", "e", "f"]
    assert Client(database).describe("house").result == [["A", "B"], "C", ["D", "E"], "F"]


def test_where_every_member_was_a_child_that_failed_each_goes_on_from_its_failed_step(
    database: Database, inline: Inline
) -> None:
    @workflow
    def one_assembly() -> list[Any]:
        return gather(call(assembly, "a", "b"), wait_for_all=True, raise_failed=True)

    broken.add("b")
    worker = inline(one_assembly, assembly)
    worker.client.start(one_assembly, workflow_id="shed")
    worker.run_until_idle()
    broken.clear()
    Operator(database).rewind("shed", "mended")
    worker.run_until_idle()
    assert calls == ["a", "b", "b"]
    assert Client(database).describe("shed").result == [["A", "B"]]


def test_a_child_that_was_purged_meanwhile_is_begun_anew(database: Database, inline: Inline) -> None:
    broken.update({"b", "e"})
    worker = inline(of_assemblies, assembly)
    worker.client.start(of_assemblies, workflow_id="house")
    worker.run_until_idle()
    Operator(database).purge("house~1.1.0")
    calls.clear()
    broken.clear()
    Operator(database).rewind("house", "mended")
    worker.run_until_idle()
    assert sorted(calls) == ["a", "b", "e"]
    assert Client(database).describe("house").state == "completed"


def test_a_failed_member_can_be_looked_into_and_a_completed_one_leaves_nothing(
    database: Database, inline: Inline
) -> None:
    broken.add("wing")
    worker = inline(product)
    worker.client.start(product, "nose", "wing", workflow_id="plane")
    worker.run_until_idle()
    [failed] = Client(database).history("plane~1.1.1")
    told = json.loads(failed.payload or "")
    assert (told["error"], told["message"]) == ("OSError", "wing is broken")
    assert told["traceback"].startswith("Traceback (most recent call last):\n")
    assert "in build\n    raise OSError" in told["traceback"]
    assert "durable/worker" not in told["traceback"]
    with pytest.raises(WorkflowNotFound):
        Client(database).describe("plane~1.1.0")


def test_the_failure_may_be_caught_like_that_of_any_step(inline: Inline) -> None:
    @workflow
    def tolerant() -> str:
        try:
            gather(call(build, "wing"), wait_for_all=True, raise_failed=True)
        except ActivityFailed as failure:
            return failure.message
        return "built"

    broken.add("wing")
    worker = inline(tolerant)
    worker.client.start(tolerant, workflow_id="tolerant")
    worker.run_until_idle()
    assert worker.client.describe("tolerant").result == "wing is broken"


def test_to_raise_what_failed_without_waiting_for_all_is_refused(inline: Inline) -> None:
    @workflow
    def hasty() -> list[Any]:
        return gather(call(build, "wing"), raise_failed=True)

    worker = inline(hasty)
    worker.client.start(hasty, workflow_id="hasty")
    worker.run_until_idle()
    assert "it needs wait_for_all" in (worker.client.describe("hasty").reason or "")
