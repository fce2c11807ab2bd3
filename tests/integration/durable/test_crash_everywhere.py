"""A crash at every commit and every outward call in turn, and at pairs of them: what is left is what is left without."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import durable
from durable.injection import COMMITS
from durable.postgres import Database
from tests.integration.durable.crash_programs import PROGRAMS, Program, ringing_once, starting
from tests.integration.durable.crash_stage import Stage
from tests.support.chaos import Figure, sized
from tests.support.database import Databases

EVERY_POINT = sized(23, 1)
MOST_PAIRS = sized(1, 700)
"""Programs with no more pairs of points than this are crashed at all of them."""

CRASHED_ELSEWHERE = {
    **dict.fromkeys(("suspend", "resume", "restart", "fork", "purge"), "test_operator"),
    "schedule": "test_schedules",
    "payload": "test_payloads",
    "queues": "one statement, which changes nothing but the limit",
    "delivery": "one statement; it is asked for again",
    "prune": "batches that depend on nothing",
    "terminate": "what a client says again, see test_lost_commits",
    "heartbeat": "one statement; without it the lease runs out",
    "release": "one statement; without it the claim runs out",
    "retire": "one statement; without it the lease runs out",
    "advance": "not of the engine",
}


@pytest.fixture(scope="module")
def stage(databases: Databases) -> Iterator[Stage]:
    with databases.migrated() as url:
        database = Database(url)
        stage = Stage(database)
        yield stage
        stage.close()
        database.close()


@pytest.mark.chaos
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_wherever_it_crashes_the_end_is_the_same_and_each_effect_happened_once(
    stage: Stage, program: Program, record_property: Figure
) -> None:
    [points] = stage.play(program, "crash-free")
    expected = stage.story("crash-free")
    assert expected.workflows["NAME"][2] == "completed"
    assert all(len(happened) == 1 for happened in expected.effects.values())
    assert len(points) > 15
    pairs = []
    for first in range(1 + EVERY_POINT // 2, len(points) + 1, EVERY_POINT):
        name = f"crashed({first})"
        lives = stage.play(program, name, first)
        assert stage.story(name) == expected, (first, points[first - 1])
        pairs += [(first, second) for life in lives[1:] for second in range(1, len(life) + 1)]
    chosen = pairs[:: -(-len(pairs) // MOST_PAIRS)]
    for first, second in chosen:
        name = f"crashed({first},{second})"
        lives = stage.play(program, name, first, second)
        assert stage.story(name) == expected, [life[-1] for life in lives[:-1]]
    record_property("points", len(points))
    record_property("pairs of points", f"{len(chosen)} of {len(pairs)}")


@pytest.mark.chaos
def test_every_kind_of_commit_and_call_is_crashed_at_before_and_after(stage: Stage) -> None:
    crashed: set[str] = set()
    for program in PROGRAMS:
        crashed |= crash_at_what_is_new(stage, program, crashed)
    commits = set(COMMITS) - set(CRASHED_ELSEWHERE) - {"journal"} | {"intent", "result", "wait"}
    assert crashed == {f"{side} {kind}" for side in ("before", "after") for kind in commits | {"call", "look"}}
    assert labels_in_the_code() == set(COMMITS)


def crash_at_what_is_new(stage: Stage, program: Program, known: set[str]) -> set[str]:
    """Crash a program once at each kind of point that is not among the known ones, and then its successor at each kind
    that only successors come to. Returns the kinds."""
    [points] = stage.play(program, "crash-free")
    expected = stage.story("crash-free")
    crash_free = kinds_of(points)
    crashed: set[str] = set()
    for first, kinds in enumerate(crash_free, start=1):
        if kinds <= known | crashed:
            continue
        crashed |= kinds
        _, successor = stage.play(program, f"crashed({first})", first)
        assert stage.story(f"crashed({first})") == expected, (program.name, points[first - 1])
        for second, further in enumerate(kinds_of(successor), start=1):
            if further <= known | crashed | set().union(*crash_free):
                continue
            crashed |= further
            stage.play(program, f"crashed({first},{second})", first, second)
            assert stage.story(f"crashed({first},{second})") == expected, (program.name, successor[second - 1])
    return crashed


def kinds_of(points: list[str]) -> list[set[str]]:
    """What each point is, e.g. `before claim`. A commit to the journal is called by what it stores: the `intent` of the
    call that follows, or a `wait`; the first commit after a call stores the `result` of that, too."""
    kinds = []
    has_result = False
    for number, point in enumerate(points):
        act, _, label = point.partition(" ")
        what, side = act.split(".")
        if label == "journal":
            following = "".join(points[number + 1 : number + 3])
            label = "intent" if "call.before" in following else "wait"
        kinds.append({f"{side} {label if what == 'commit' else what}"})
        if what == "commit" and has_result:
            kinds[-1].add(f"{side} result")
        has_result = point.startswith("call.after") or (has_result and side == "before")
    return kinds


@pytest.mark.chaos
def test_a_call_that_may_be_made_once_is_never_made_twice_wherever_it_crashes(stage: Stage) -> None:
    program = Program("ringing_once", (starting(ringing_once),))
    [points] = stage.play(program, "crash-free")
    results = set()
    for number in range(1, len(points) + 1):
        stage.play(program, f"crashed({number})", number)
        results.add(stage.client.describe(f"crashed({number})").result)
        assert sum(stage.world.calls.values()) <= 1
    assert results == {"rang", "InDoubt"}


def labels_in_the_code() -> set[str]:
    """The labels of the commits that stand in the engine's own code, where a commit is asked for or a label named."""
    found = set()
    for source in Path(durable.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text())):
            match node:
                case ast.Call(
                    func=ast.Attribute(attr="transaction" | "statement" | "_once" | "at_once" | "_writing"),
                    args=[ast.Constant(value=label), *_],
                ):
                    found.add(str(label))
                case ast.Assign(targets=[ast.Name(id="label")], value=ast.Constant(value=label)):
                    found.add(str(label))
    return found
