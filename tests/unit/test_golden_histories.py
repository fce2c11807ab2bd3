"""What released versions have written, today's code still replays: else a deploy would pause those workflows."""

from pathlib import Path
from typing import Any

import pytest

from docs.examples import aggregator, approval, hello_cities, monitor, naive_pull_request
from durable import Workflow
from durable.export import replay_exported, workflow_of
from durable.flows import load
from durable.replay import Divergence
from handlers.watch import watch_pull_request
from tests.support.documents import ROOT
from tests.support.histories import HISTORIES

GOLDEN = sorted(HISTORIES.glob("*/*.json"))
MODULES = (hello_cities, naive_pull_request, monitor, approval, aggregator)
EXAMPLES = [value for module in MODULES for value in vars(module).values()]
WORKFLOWS: dict[str, Workflow[..., Any]] = {
    value.name: value for value in (watch_pull_request, *EXAMPLES) if isinstance(value, Workflow)
}
FLOWS = ROOT / "tests" / "data" / "flows"


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_golden_history_is_replayed_by_this_code(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    flows = {flow.name: flow for flow in load(FLOWS).workflows()} if path.stem.startswith("flow-") else {}
    outcome = replay_exported(text, (WORKFLOWS | flows)[workflow_of(text)])
    assert not isinstance(outcome, Divergence), outcome


def test_there_are_golden_histories_of_every_phase_and_of_the_examples() -> None:
    named = {path.stem for path in GOLDEN if path.parent.name == "0.1"}
    phases = {"arriving", "opening", "furnishing", "greeting", "watching", "closing", "ended"}
    examples = {value.name for value in EXAMPLES if isinstance(value, Workflow)}
    assert named >= {f"watch-{phase}" for phase in phases} | examples
    assert named >= {"flow-whole", "flow-part", "flow-failed"}
