"""Declaring tasks, and the files they stand in."""

import sys
from pathlib import Path
from typing import Any

import pytest

from durable import RetryPolicy
from durable.flows import FlowErrors, Task, load, task
from durable.flows.tasks import AFTER_CRASHES, AT_ONCE, TIMEOUT_S, adapted


def told_of(folder: Path) -> list[str]:
    with pytest.raises(FlowErrors) as refused:
        load(folder)
    return str(refused.value).replace(f"{folder}/", "").splitlines()


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    (tmp_path / "tasks").mkdir()
    return tmp_path / "tasks"


def test_outside_a_workflow_a_task_is_the_function_it_was() -> None:
    @task(name="ADD UP")
    def add_up(*args: Any, **_kwargs: Any) -> int:
        return sum(args[0])

    assert add_up([1, 2], payload={}) == 3
    assert (add_up.name, add_up.function.__name__) == ("ADD UP", "add_up")


def test_an_error_fails_a_task_at_once_unless_it_says_otherwise() -> None:
    policy = RetryPolicy(attempts=2)

    @task(name="PLAIN")
    def plain() -> None: ...

    @task(name="RETRIED", retry=policy, non_retryable=(KeyError,), timeout=5)
    def retried() -> None: ...

    @task(name="VERIFIED", verify=lambda: None)
    def verified() -> None: ...

    assert (plain.spec.retry, plain.spec.non_retryable, plain.spec.timeout) == (AFTER_CRASHES, AT_ONCE, TIMEOUT_S)
    assert (retried.spec.retry, retried.spec.non_retryable, retried.spec.timeout) == (policy, (KeyError,), 5)
    assert verified.spec.non_retryable == ()
    given = adapted(plain, Task("PLAIN", policy, 7)).spec
    assert (given.retry, given.non_retryable, given.timeout) == (policy, (), 7)
    given = adapted(retried, Task("RETRIED", AFTER_CRASHES)).spec
    assert (given.retry, given.non_retryable, given.timeout) == (AFTER_CRASHES, (KeyError,), 5)


@pytest.mark.parametrize(
    ("options", "instead"),
    [
        ({"max_retries": 3}, r"task 'X': option 'max_retries' is not known here; retry=RetryPolicy\(attempts=…\)"),
        ({"rate_limit": "1/s"}, "option 'rate_limit' is not known here; a queue of its own with a rate"),
        ({"colour": 1}, "option 'colour' is not known here; there are bind, retry, timeout, verify, non_retryable"),
    ],
)
def test_an_option_that_is_not_known_is_refused_with_what_is_there_instead(
    options: dict[str, Any], instead: str
) -> None:
    with pytest.raises(TypeError, match=instead):
        task(name="X", **options)


def test_a_task_without_a_name_is_refused() -> None:
    with pytest.raises(TypeError, match=r"write @task\(name="):

        @task  # type: ignore[arg-type] # what somebody may write all the same
        def nameless() -> None: ...


def test_files_in_subfolders_may_import_each_other_and_may_be_called_like_modules_of_python(tasks: Path) -> None:
    (tasks / "deep").mkdir()
    (tasks / "shared.py").write_text("NUMBER = 7\n")
    (tasks / "deep" / "time.py").write_text(
        "import time\nfrom durable.flows import task\nfrom ..shared import NUMBER\n\n"
        '@task(name="DEEP")\ndef deep(*args, **kwargs):\n    return NUMBER, time.time() > 0\n'
    )
    loaded = load(tasks.parent)
    assert loaded.tasks["DEEP"]() == (7, True)
    assert loaded.tasks["DEEP"].function.__module__ == "flow_tasks.deep.time"
    assert sys.modules["time"].__name__ == "time"


def test_what_another_folder_declared_before_is_gone_and_what_modules_declared_stays(tmp_path: Path) -> None:
    for folder, name in (("one", "FIRST"), ("two", "SECOND")):
        (tmp_path / folder / "tasks").mkdir(parents=True)
        (tmp_path / folder / "tasks" / "same.py").write_text(
            f'from durable.flows import task\n\n@task(name="{name}")\ndef same(*args): ...\n'
        )

    @task(name="STAYS")
    def stays() -> None: ...

    assert {"FIRST", "STAYS"} <= set(load(tmp_path / "one").tasks)
    second = set(load(tmp_path / "two").tasks)
    assert {"SECOND", "STAYS"} <= second
    assert "FIRST" not in second


def test_a_file_that_cannot_be_imported_is_told_with_its_line_and_hides_nothing_else(tasks: Path) -> None:
    (tasks / "a_syntax.py").write_text("def f(:\n    pass\n")
    (tasks / "b_error.py").write_text("import json\n\njson.loads('no')\n")
    (tasks / "c_exit.py").write_text("import sys\nsys.exit(3)\n")
    (tasks / "d_twice.py").write_text(
        'from durable.flows import task\n\n@task(name="TWICE")\ndef a(): ...\n\n@task(name="TWICE")\ndef b(): ...\n'
    )
    (tasks / "e_option.py").write_text(
        'from durable.flows import task\n\n@task(name="X", acks_late=True)\ndef a(): ...\n'
    )
    (tasks.parent / "x.yml").write_text("p.F: {tasks: [WHO KNOWS], hooks: {error: B}}")
    told = told_of(tasks.parent)
    assert [line.partition(": ")[0] for line in told] == [
        "tasks/a_syntax.py:1",
        "tasks/b_error.py:3",
        "tasks/c_exit.py:2",
        "tasks/d_twice.py:6",
        "tasks/e_option.py:3",
        "x.yml:1",
    ]
    assert "JSONDecodeError" in told[1]
    assert "task 'TWICE' is declared twice: by flow_tasks.d_twice.a and by flow_tasks.d_twice.b" in told[3]
    assert told[5] == "x.yml:1: p.F: hooks.error: unknown key; allowed: success, failure"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"type": \n oops}', "schemas/s.json:2: not JSON: Expecting value"),
        ("[1]", "schemas/s.json:1: not a JSON Schema; allowed: an object"),
        ('{"type": "nonsense"}', "schemas/s.json:1: $.type: not a JSON Schema: 'nonsense' is not valid"),
        ('{"pattern": "("}', "schemas/s.json:1: $.pattern: not a JSON Schema: '(' is not a 'regex'"),
        ('{"$ref": "#"}', "schemas/s.json:1: not a JSON Schema: RecursionError"),
        ('{"$ref": "http://localhost:1/x"}', "schemas/s.json:1: not a JSON Schema: _WrappedReferencingError: Unresolvable"),
        ('{"minimum": NaN}', "schemas/s.json:1: not JSON: ValueError: NaN is no number in JSON"),
    ],
)  # fmt: skip
def test_a_schema_that_cannot_be_used_is_told_once_in_its_own_file(tmp_path: Path, content: str, expected: str) -> None:
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "s.json").write_text(content)

    @task(name="WITH SCHEMA")
    def with_schema() -> None: ...

    (tmp_path / "x.yml").write_text("p.F: &f {tasks: [WITH SCHEMA], schema: s}\np.G: *f")
    [told] = told_of(tmp_path)
    assert told.startswith(expected)
