"""What runs at each wait of a workflow although it looks as if it ran once: found in the source, with its line."""

import contextlib
import functools
import inspect
import logging
import threading
from contextlib import suppress
from typing import Any

import pytest

import durable
from durable import Cancelled, activity, receive, sleep, start_child, workflow
from durable.lint import findings

lock = threading.Lock()
log = logging.getLogger(__name__)
told: list[str] = []


@activity
def clean_up(what: str) -> None:
    told.append(what)


class Account:
    open = True


account = Account()


@workflow
def plain_call() -> None:
    try:
        sleep(1)
    finally:
        told.append("done")  # found


@workflow
def plain_log() -> None:
    try:
        receive("go")
    finally:
        if told:
            log.info("left")  # found


@workflow
def plain_assignment() -> None:
    try:
        clean_up("x")
    finally:
        account.open = False  # found


@workflow
def plain_item() -> None:
    try:
        durable.sleep(1)
    finally:
        told[0] = "x"  # found


@workflow
def held_lock() -> None:
    with lock:  # found
        sleep(1)


@workflow
def opened_file() -> None:
    with open("x") as file, suppress(OSError):  # found  # noqa: PTH123 - what authors write
        clean_up(file.name)


@workflow
def everything_caught() -> None:
    try:
        sleep(1)
    except:  # found  # noqa: E722 - what authors write
        told.clear()


@workflow
def base_exception_caught() -> None:
    try:
        start_child(plain_call).result()
    except BaseException:  # found  # noqa: BLE001 - what authors write
        told.clear()


@workflow
def waiting_for_a_child() -> None:
    child: Any = told
    try:
        child.result()
    finally:
        print("over")  # found  # noqa: T201 - what authors write


@workflow
def durable_cleanup() -> str:
    try:
        sleep(1)
        answer = receive("go")
    except Cancelled:
        clean_up("cancelled")
        raise
    except Exception as error:  # noqa: BLE001 - harmless
        answer = None
        clean_up(str(error))
    finally:
        many = len(told)
        clean_up(f"all {many}")
        durable.set_status({"many": many})
    return str(answer)


@workflow
def passed_on() -> None:
    try:
        sleep(1)
    except BaseException:
        clean_up("whatever it was")
        raise


@workflow
def not_waiting() -> None:
    try:
        told.append("no wait in here")
    finally:
        told.clear()
    with lock:
        told.append("no wait in here either")
    with suppress(ValueError), contextlib.nullcontext():
        sleep(1)


FOUND = (
    *(plain_call, plain_log, plain_assignment, plain_item, held_lock, opened_file),
    *(everything_caught, base_exception_caught, waiting_for_a_child),
)


@pytest.mark.parametrize("wrong", FOUND, ids=lambda one: one.name)
def test_what_runs_at_each_wait_is_found_at_its_line(wrong: Any) -> None:
    lines, first = inspect.getsourcelines(wrong.function)
    marked = [first + number for number, line in enumerate(lines) if "# found" in line]
    assert [finding.line for finding in findings(wrong)] == marked
    [finding] = findings(wrong)
    assert (finding.workflow, finding.file) == (wrong.name, __file__)
    assert str(finding).startswith(f"{__file__}:{finding.line}: workflow {wrong.name}: ")


@pytest.mark.parametrize("right", [durable_cleanup, passed_on, not_waiting], ids=lambda one: one.name)
def test_durable_cleanup_and_code_without_a_wait_are_left_alone(right: Any) -> None:
    assert findings(right) == ()


def test_names_of_the_surrounding_function_are_known() -> None:
    mine: list[str] = []

    @activity
    def local(what: str) -> None:
        mine.append(what)

    @workflow
    def inner() -> None:
        try:
            local("x")
        finally:
            mine.append("y")
            local("z")

    [finding] = findings(inner)
    assert finding.problem.startswith("plain code in a finally: it runs at each wait")


def test_a_workflow_without_source_has_no_findings() -> None:
    made: dict[str, Any] = {"sleep": sleep}
    exec("def made(): sleep(1)", made)  # noqa: S102 - a function without a file
    assert findings(workflow(made["made"])) == ()
    assert findings(workflow(functools.wraps(plain_call.function)(lambda: None))) == findings(plain_call)
