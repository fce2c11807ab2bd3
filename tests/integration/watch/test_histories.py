"""The histories a watch writes, phase by phase, exported at the end of each run and replayed at once.

With VIGIL_WRITE_SNAPSHOTS set they become the golden histories of this version, which later releases have to replay.
"""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import get_args

from durable import injection
from durable.errors import WorkflowNotFound
from durable.export import export, replay_exported
from durable.replay import Divergence
from handlers.watch import watch_pull_request
from handlers.watch_state import Phase
from tests.integration.watch.conftest import HOUR, Scene
from tests.support.histories import keep_golden

RUN_ENDS = ("commit.before continue", "commit.after complete", "commit.after receive")
NOT_LIVED_THROUGH = {"waiting"}
"""Of drafts, which this story has none of."""


def test_every_phase_of_a_watch_replays_from_its_exported_history(
    scene: Scene, at_every_point: Callable[[injection.Hook | None], None]
) -> None:
    longest: dict[str, str] = {}
    pull_request = scene.open()

    def keep(point: str) -> None:
        if point not in RUN_ENDS:
            return
        with scene.database.reading() as connection:
            try:
                text = export(connection, scene.describe(pull_request).workflow_id)
            except WorkflowNotFound:
                return
        stored = json.loads(text)
        phase = stored["input"][0][0]["v"]["phase"]
        if len(stored["history"]) >= len(json.loads(longest.get(phase, '{"history": []}'))["history"]):
            longest[phase] = text

    at_every_point(keep)
    scene.hear(pull_request, "opened")
    scene.pass_time(HOUR * 1.1)
    pull_request.merge()
    scene.hear(pull_request, "closed")
    scene.pass_time(timedelta(seconds=10))
    assert scene.outcome(pull_request) == "merged"

    assert set(longest) == set(get_args(Phase)) - NOT_LIVED_THROUGH
    for phase, text in longest.items():
        assert not isinstance(replay_exported(text, watch_pull_request), Divergence), phase
        keep_golden(f"watch-{phase}", text)
