"""The format of flows: what is read, and what is said of everything that is wrong."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from durable import RetryPolicy
from durable.flows import Chain, Flow, FlowErrors, Group, Hooks, Periodic, Routing, Task, load

TASKS = """
from durable.flows import task


def nothing(*args, **kwargs):
    pass


for name in ("A", "B", "C", "EXTRACT"):
    task(name=name)(nothing)
"""
MANY = 12


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "schemas" / "deep").mkdir(parents=True)
    (tmp_path / "tasks" / "letters.py").write_text(TASKS)
    (tmp_path / "schemas" / "deep" / "person.json").write_text('{"type": "object", "required": ["name"]}')
    return tmp_path


@pytest.fixture
def flow(folder: Path) -> Callable[[str], Flow]:
    """Reads one flow, `p.F`, of this body."""

    def read(body: str) -> Flow:
        (folder / "x.yml").write_text(f"p.F: {body}")
        return load(folder).flows["p.F"]

    return read


@pytest.fixture
def problems(folder: Path) -> Callable[[str], list[str]]:
    """What is said of a file, line by line, without the folder."""

    def read(text: str) -> list[str]:
        (folder / "x.yml").write_text(text)
        with pytest.raises(FlowErrors) as refused:
            load(folder)
        return str(refused.value).replace(f"{folder}/", "").splitlines()

    return read


def test_a_flow_is_read_as_it_stands(flow: Callable[[str], Flow]) -> None:
    read = flow("""
      tasks:
        - A
        - SIDES:
            type: group
            tasks: [B, LINE: {type: chain, tasks: [C, A]}]
        - B: {retry: {attempts: 3, first: 1m, factor: 4, longest: 1h}, timeout: 1h30m}
      hooks: {failure: A, success: B}
      queue: {default: day, customs: {B: night}}
      schema: deep/person
      periodic: {crontab: "0 9 * * mon-fri", payload: {name: Ada}}
      retention: {offset: 10}
    """)
    assert (read.project, read.name, read.full_name) == ("p", "F", "p.F")
    assert read.tasks == (
        Task("A"),
        Group("SIDES", (Task("B"), Chain("LINE", (Task("C"), Task("A"))))),
        Task("B", RetryPolicy(first=60, factor=4, longest=3600, attempts=3), 5400),
    )
    assert read.hooks == Hooks(success="B", failure="A")
    assert read.queue == Routing("day", {"B": "night"})
    assert (read.queue.queue_of("B"), read.queue.queue_of("A")) == ("night", "day")
    assert read.schema == {"type": "object", "required": ["name"]}
    assert read.periodic == Periodic(crontab="0 9 * * mon-fri", payload={"name": "Ada"})
    assert read.retention == 10
    assert read.raw["schema"] == read.schema
    assert read.raw["tasks"][0] == "A"


def test_what_is_not_said_has_its_default(flow: Callable[[str], Flow]) -> None:
    read = flow("{tasks: [A]}")
    assert (read.hooks, read.queue, read.schema, read.periodic, read.retention, read.raw) == (
        Hooks(),
        Routing("default"),
        None,
        None,
        None,
        {"tasks": ["A"]},
    )
    assert flow("{tasks: [A], queue: q1}").queue == Routing("q1")
    assert flow("{tasks: [A], queue: {customs: {A: q2}}}").queue == Routing("default", {"A": "q2"})
    assert flow("{tasks: [A], retention: {offset: -1}}").retention is None
    assert flow("{tasks: [A: {retry: {first: 10m}}]}").tasks == (Task("A", RetryPolicy(first=600, longest=600)),)


@pytest.mark.parametrize(
    ("periodic", "expected"),
    [
        ("{interval: 60}", Periodic(interval=60, payload={})),
        ("{interval: '60'}", Periodic(interval=60, payload={})),
        ("{schedule: 30.0}", Periodic(interval=30, payload={})),
        ("{schedule: '30'}", Periodic(interval=30, payload={})),
        ("{schedule: 0 9 1 2 3}", Periodic(crontab="0 9 2 3 1", payload={})),
        (
            "{crontab: '*/10 */11 */12 */6 */14', payload: [1]}",
            Periodic(crontab="*/10 */11 */12 */6 */14", payload=[1]),
        ),
    ],
)
def test_a_period_is_an_interval_a_crontab_or_a_legacy_schedule(
    flow: Callable[[str], Flow], periodic: str, expected: Periodic
) -> None:
    assert flow(f"{{tasks: [A], periodic: {periodic}}}").periodic == expected


def test_what_stands_behind_an_alias_or_is_merged_counts_as_if_it_stood_there(folder: Path) -> None:
    (folder / "x.yml").write_text("""
    p.FIRST: &first
      tasks: &both [A, B]
      hooks: {failure: C}
    p.SECOND: {<<: *first, tasks: [G: {type: group, tasks: *both}]}
    p.THIRD: {<<: [{tasks: [C]}, *first]}
    """)
    flows = load(folder).flows
    assert flows["p.SECOND"].tasks == (Group("G", (Task("A"), Task("B"))),)
    assert flows["p.SECOND"].hooks == flows["p.FIRST"].hooks == Hooks(failure="C")
    assert flows["p.THIRD"].raw == {"tasks": ["C"], "hooks": {"failure": "C"}}


def test_every_file_is_read_and_an_empty_one_holds_nothing(folder: Path) -> None:
    (folder / "a.yml").write_text("---\n# nothing yet\n")
    (folder / "b.yaml").write_text("p.B: {tasks: [B]}")
    (folder / "workflows.yml").write_text("p.A.B: {tasks: [A]}")
    (folder / "notes.txt").write_text("p.C: {tasks: [A]}")
    assert {name: flow.name for name, flow in load(folder).flows.items()} == {"p.A.B": "A.B", "p.B": "B"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("nonsense", "1: p.F: 'nonsense' is not allowed; allowed: a mapping with tasks, hooks, queue, schema, periodic, retention"),
        ("{}", "1: p.F: has no tasks; a list of tasks is what a flow is"),
        ("{tasks: }", "1: p.F: tasks: nothing is not allowed; allowed: a list of tasks, e.g. [EXTRACT, LOAD]"),
        ("{tasks: []}", "1: p.F: tasks: an empty list is not allowed; allowed: a list of tasks, e.g. [EXTRACT, LOAD]"),
        ("{tasks: A}", "1: p.F: tasks: 'A' is not allowed; allowed: a list of tasks, e.g. [EXTRACT, LOAD]"),
        ("{tasks: [A], task: [A]}", "1: p.F: task: unknown key; allowed: tasks, hooks, queue, schema, periodic, retention"),
        ("{tasks: [A], tasks: [B]}", "1: p.F: tasks: is there twice"),
        ("{tasks: [A], 1: x}", "1: p.F: 1: only a text may be a key here; write it in quotes"),
        ("{tasks: [EXTRAKT]}", "1: p.F: tasks[0]: no task is called 'EXTRAKT'; did you mean EXTRACT?"),
        ("{tasks: [Q]}", "1: p.F: tasks[0]: no task is called 'Q'; there are: A, B, C, EXTRACT"),
        ("{tasks: [on]}", "1: p.F: tasks[0]: on, a yes or no, is not allowed; allowed: the name of a task; in a list of tasks also a group, a chain or a task with options"),
        ("{tasks: [' ']}", "1: p.F: tasks[0]: ' ' is not allowed; allowed: the name of a task; in a list of tasks also a group, a chain or a task with options"),
        ("{tasks: [[A]]}", "1: p.F: tasks[0]: a list is not allowed; allowed: the name of a task; in a list of tasks also a group, a chain or a task with options"),
        ("{tasks: [{A: {timeout: 1}, B: {timeout: 1}}]}", "1: p.F: tasks[0]: has 2 keys; allowed: one, the name of a group, of a chain, or of a task with options"),
        ("{tasks: [A: ]}", "1: p.F: tasks[0].A: nothing is not allowed; allowed: a mapping with retry, timeout"),
        ("{tasks: [A: {}]}", "1: p.F: tasks[0].A: is empty; allowed: retry, timeout, or the name alone without a colon"),
        ("{tasks: [G: {type: chord, tasks: [A]}]}", "1: p.F: tasks[0].G.type: 'chord' is not allowed; allowed: group, chain"),
        ("{tasks: [G: {type: 1, tasks: [A]}]}", "1: p.F: tasks[0].G.type: 1, a number, is not allowed; allowed: group, chain"),
        ("{tasks: [G: {tasks: [A]}]}", "1: p.F: tasks[0].G: has no type; allowed: group, chain"),
        ("{tasks: [G: {type: group}]}", "1: p.F: tasks[0].G: has no tasks"),
        ("{tasks: [G: {type: group, tasks: [A], retry: 1}]}", "1: p.F: tasks[0].G.retry: unknown key; allowed: type, tasks"),
        ("{tasks: [G: {type: group, tasks: [A, H: {type: chain, tasks: [Q]}]}]}", "1: p.F: tasks[0].G.tasks[1].H.tasks[0]: no task is called 'Q'; there are: A, B, C, EXTRACT"),
        ("{tasks: [A: {timeout: 0}]}", "1: p.F: tasks[0].A.timeout: 0, a number, is not allowed; allowed: more than 0 and at most 86400 seconds"),
        ("{tasks: [A: {timeout: 2d}]}", "1: p.F: tasks[0].A.timeout: '2d' is not allowed; allowed: more than 0 and at most 86400 seconds"),
        ("{tasks: [A: {timeout: soon}]}", "1: p.F: tasks[0].A.timeout: 'soon' is not allowed; allowed: seconds, or a length of time such as 90s, 5m, 1h30m"),
        ("{tasks: [A: {timeout: [1]}]}", "1: p.F: tasks[0].A.timeout: a list is not allowed; allowed: seconds, or a length of time such as 90s, 5m, 1h30m"),
        ("{tasks: [A: {retry: 3}]}", "1: p.F: tasks[0].A.retry: 3, a number, is not allowed; allowed: a mapping with attempts, first, factor, longest"),
        ("{tasks: [A: {retry: {attempts: 0}}]}", "1: p.F: tasks[0].A.retry.attempts: 0, a number, is not allowed; allowed: a whole number from 1 to 1000"),
        ("{tasks: [A: {retry: {attempts: 1.5}}]}", "1: p.F: tasks[0].A.retry.attempts: 1.5, a number, is not allowed; allowed: a whole number from 1 to 1000"),
        ("{tasks: [A: {retry: {attempts: yes}}]}", "1: p.F: tasks[0].A.retry.attempts: yes, a yes or no, is not allowed; allowed: a whole number from 1 to 1000"),
        ("{tasks: [A: {retry: {factor: 0.5}}]}", "1: p.F: tasks[0].A.retry.factor: 0.5, a number, is not allowed; allowed: a number from 1 to 1000"),
        ("{tasks: [A: {retry: {first: 10, longest: 5}}]}", "1: p.F: tasks[0].A.retry: RetryPolicy: need first > 0, factor >= 1, longest >= first; got RetryPolicy(first=10.0, factor=2.0, longest=5.0, attempts=10)"),
        ("{tasks: [A: {tries: 3}]}", "1: p.F: tasks[0].A.tries: unknown key; allowed: retry, timeout"),
        ("{tasks: [A], hooks: B}", "1: p.F: hooks: 'B' is not allowed; allowed: a mapping with success, failure"),
        ("{tasks: [A], hooks: {failure: Q}}", "1: p.F: hooks.failure: no task is called 'Q'; there are: A, B, C, EXTRACT"),
        ("{tasks: [A], hooks: {error: B}}", "1: p.F: hooks.error: unknown key; allowed: success, failure"),
        ("{tasks: [A], queue: 1}", "1: p.F: queue: 1, a number, is not allowed; allowed: the name of a queue, or a mapping with default, customs"),
        ("{tasks: [A], queue: {default: }}", "1: p.F: queue.default: nothing is not allowed; allowed: the name of a queue"),
        ("{tasks: [A], queue: {customs: [A]}}", "1: p.F: queue.customs: a list is not allowed; allowed: a mapping"),
        ("{tasks: [A], queue: {customs: {A: 2}}}", "1: p.F: queue.customs.A: 2, a number, is not allowed; allowed: the name of a queue"),
        ("{tasks: [A], queue: {customs: {B: q}}}", "1: p.F: queue.customs.B: no task of this flow is called 'B'"),
        ("{tasks: [A], schema: [deep]}", "1: p.F: schema: a list is not allowed; allowed: the path of a schema in the folder schemas, without .json"),
        ("{tasks: [A], schema: nowhere}", "1: p.F: schema: there is no schemas/nowhere.json"),
        ("{tasks: [A], schema: ../x}", "1: p.F: schema: '../x' leads out of {folder}/schemas"),
        ("{tasks: [A], schema: /etc/passwd}", "1: p.F: schema: '/etc/passwd' leads out of {folder}/schemas"),
        ("{tasks: [A], periodic: 60}", "1: p.F: periodic: 60, a number, is not allowed; allowed: a mapping with interval, crontab, schedule, payload"),
        ("{tasks: [A], periodic: {payload: {}}}", "1: p.F: periodic: has none of them; allowed: exactly one of interval, crontab, schedule"),
        ("{tasks: [A], periodic: {interval: 1, crontab: '* * * * *'}}", "1: p.F: periodic: has interval and crontab; allowed: exactly one of interval, crontab, schedule"),
        ("{tasks: [A], periodic: {interval: 1, every: 1}}", "1: p.F: periodic.every: unknown key; allowed: interval, crontab, schedule, payload"),
        ("{tasks: [A], periodic: {interval: 0}}", "1: p.F: periodic.interval: 0, a number, is not allowed; allowed: whole seconds, at least 1"),
        ("{tasks: [A], periodic: {interval: 1.5}}", "1: p.F: periodic.interval: 1.5, a number, is not allowed; allowed: whole seconds, at least 1"),
        ("{tasks: [A], periodic: {interval: .inf}}", "1: p.F: periodic.interval: '.inf' has no form in JSON; write it in quotes"),
        ("{tasks: [A], periodic: {interval: yes}}", "1: p.F: periodic.interval: yes, a yes or no, is not allowed; allowed: whole seconds, at least 1"),
        ("{tasks: [A], periodic: {interval: 1e300}}", "1: p.F: periodic.interval: '1e300' is not allowed; allowed: whole seconds, at least 1"),
        ("{tasks: [A], periodic: {schedule: hourly}}", "1: p.F: periodic.schedule: 'hourly' is not allowed; allowed: whole seconds, at least 1"),
        ("{tasks: [A], periodic: {crontab: 60}}", "1: p.F: periodic.crontab: 60, a number, is not allowed; allowed: five fields, minute hour day-of-month month day-of-week"),
        ("{tasks: [A], retention: 3}", "1: p.F: retention: 3, a number, is not allowed; allowed: a mapping with offset"),
        ("{tasks: [A], retention: {}}", "1: p.F: retention: has no offset; allowed: offset, how many of the newest runs are kept, -1 for all"),
        ("{tasks: [A], retention: {offset: -2}}", "1: p.F: retention.offset: -2, a number, is not allowed; allowed: a whole number from -1 to 1000000000"),
        ("{tasks: [A], periodic: {interval: 1, payload: {on: 2020-01-01}}}", "1: p.F: periodic.payload.on: only a text may be a key here; write it in quotes"),
        ("{tasks: [A], periodic: {interval: 1, payload: {day: 2020-01-01}}}", "1: p.F: periodic.payload.day: '2020-01-01' has no form in JSON; write it in quotes"),
        ("{tasks: [A], periodic: {interval: 1, payload: !!set {a}}}", None),
        ("{tasks: [A], periodic: {interval: 1, payload: !!python/object:os.system x}}", "1: p.F: periodic.payload: 'x' has no form in JSON; write it in quotes"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_file_line_key_and_what_is_allowed(
    problems: Callable[[str], list[str]], folder: Path, flow: Callable[[str], Flow], body: str, expected: str | None
) -> None:
    if expected is None:
        assert flow(body)
    else:
        assert problems(f"p.F: {body}") == [f"x.yml:{expected.replace('{folder}/', '')}"]


@pytest.mark.parametrize(
    "name", ["F", ".F", "p.", "p.a b", "p.a/b", "'@p.F'", "p.a#b", "p.a?", r"p.a\b", f"p.{'F' * 100}", '"p.\\u200b"']
)
def test_a_name_that_makes_no_workflow_id_is_refused(problems: Callable[[str], list[str]], name: str) -> None:
    [told] = problems(f"{name}: {{tasks: [A]}}")
    assert told.endswith("is no name of a flow; allowed: project.NAME, at most 100 characters, no / \\ # ? or space")


@pytest.mark.parametrize(
    ("crontab", "complaint"),
    [
        ("* * * *", "not enough values"),
        ("* * * * 12", "day of week '12'"),
        ("61 * * * *", "61"),
        ("0 0 30 2 *", "never comes true"),
    ],
)
def test_a_crontab_that_means_nothing_says_why(
    problems: Callable[[str], list[str]], crontab: str, complaint: str
) -> None:
    [told] = problems(f"p.F: {{tasks: [A], periodic: {{crontab: {crontab!r}}}}}")
    begin = (
        f"x.yml:1: p.F: periodic.crontab: {crontab!r} is not allowed; allowed: five fields, minute hour day-of-month"
    )
    assert told.startswith(begin)
    assert complaint in told


def test_everything_that_is_wrong_is_told_at_once_each_at_its_line(problems: Callable[[str], list[str]]) -> None:
    told = problems("""# a comment
p.ONE:
  tasks:
    - A
    - Q
  periodic:
    interval: 0
p.TWO:
  task: [A]
p.THREE: {tasks: [A]}
""")
    assert [line.partition(": ")[0] for line in told] == ["x.yml:5", "x.yml:7", "x.yml:9", "x.yml:9"]


def test_a_flow_may_be_in_one_file_only(problems: Callable[[str], list[str]], folder: Path) -> None:
    (folder / "a.yml").write_text("# first\np.F: {tasks: [A]}")
    assert problems("p.F: {tasks: [B]}") == ["x.yml:1: p.F: is also in a.yml:2"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("p.F: [", "x.yml:1: not YAML: "),
        ("p.F: {tasks: [A]}\n\tx: 1", "x.yml:2: not YAML: "),
        ("a: 1\n---\nb: 2", "x.yml:2: not YAML: but found another document"),
        ("[1, 2]", "x.yml:1: a list is not allowed; allowed: a mapping"),
        ("just text", "x.yml:1: 'just text' is not allowed; allowed: a mapping"),
        ('p.F: "\\U0011FFFF"', "x.yml:1: not YAML: "),
        ("[" * 500, "x.yml:1: not YAML: RecursionError"),
        ("[" * 60 + "]" * 60, "x.yml:1: holds too much; allowed: 50000 values"),
        ("p.F: &f {tasks: *f}", "x.yml:1: holds too much; allowed: 50000 values"),
        ("p.F: &f {<<: *f, tasks: [A]}", "x.yml:1: holds too much; allowed: 50000 values"),
        ("#" * (1024 * 1024 + 1), "x.yml:1: has 1048577 characters; allowed: 1048576"),
    ],
    ids=range(11),
)
def test_what_is_no_yaml_or_too_much_of_it_is_told(
    problems: Callable[[str], list[str]], text: str, expected: str
) -> None:
    [told] = problems(text)
    assert told.startswith(expected)


def test_a_bomb_of_aliases_is_refused_before_it_goes_off(problems: Callable[[str], list[str]]) -> None:
    lists = "\n".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 9))
    merges = "\n".join(f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 9)}]}}" for n in range(1, 9))
    for bomb in (f"l0: &l0 [x]\n{lists}", f"m0: &m0 {{a: b}}\n{merges}"):
        [told] = problems(bomb)
        assert "holds too much" in told


def test_a_file_that_cannot_be_read_is_told(problems: Callable[[str], list[str]], folder: Path) -> None:
    (folder / "latin.yml").write_bytes("p.Ü: {tasks: [A]}".encode("latin-1"))
    (folder / "folder.yml").mkdir()
    told = problems("")
    assert [line.partition(": ")[0] for line in told] == ["folder.yml:1", "latin.yml:1"]
    assert all("cannot be read" in line for line in told)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(FlowErrors, match="there is no such folder"):
        load(tmp_path / "nowhere")


def test_a_problem_is_also_there_piece_by_piece(folder: Path) -> None:
    (folder / "x.yml").write_text("p.F: {tasks: [Q]}")
    with pytest.raises(FlowErrors) as refused:
        load(folder)
    [problem] = refused.value.problems
    assert (problem.file, problem.line, problem.key) == (str(folder / "x.yml"), 1, "p.F: tasks[0]")


def test_of_many_tasks_only_some_are_named(problems: Callable[[str], list[str]], folder: Path) -> None:
    more = "\n".join(f'@task(name="TASK{number:02}")\ndef f{number}(*args): ...' for number in range(MANY))
    (folder / "tasks" / "more.py").write_text(f"from durable.flows import task\n{more}")
    [told] = problems("p.F: {tasks: [Q]}")
    assert told.endswith("there are: A, B, C, EXTRACT, TASK00, TASK01, TASK02, TASK03, TASK04, TASK05 …")


def test_a_payload_that_a_periodic_flow_would_be_refused_is_told(problems: Callable[[str], list[str]]) -> None:
    said: Any = problems("p.F: {tasks: [A], schema: deep/person, periodic: {interval: 60}}")
    assert said == ["x.yml:1: p.F: periodic: its payload does not fit the schema: 'name' is a required property"]
