"""The histories of flows and of their parts: exported, replayed at once, and kept as golden ones."""

from collections.abc import Callable

import pytest

from durable.export import export, replay_exported, workflow_of
from durable.replay import Completed, Failed
from tests.integration.flows.conftest import Stage
from tests.support.documents import ROOT
from tests.support.histories import keep_golden


@pytest.mark.parametrize(
    ("flow", "end", "part", "outcome"),
    [
        ("golden.NESTED", "", "whole", Completed),
        ("golden.NESTED", "~1.2.1", "part", Completed),
        ("golden.FAILED", "", "failed", Failed),
    ],
)
def test_the_history_of_a_flow_replays(
    staged: Callable[..., Stage], flow: str, end: str, part: str, outcome: type
) -> None:
    stage = staged(ROOT / "tests" / "data" / "flows")
    run_id = stage.run(flow, {"number": 1}).id
    with stage.database.reading() as connection:
        text = export(connection, run_id + end)
    by_name = {declared.name: declared for declared in stage.flows.workflows()}
    assert isinstance(replay_exported(text, by_name[workflow_of(text)]), outcome)
    keep_golden(f"flow-{part}", text)
