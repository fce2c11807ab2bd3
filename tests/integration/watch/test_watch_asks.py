"""What people ask of a watch: a reminder now, quiet for a while, and no quiet any longer."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from bot.demo.github_world import PullRequest
from durable import injection
from durable.export import export, replay_exported
from durable.replay import Divergence
from handlers.asks import Ask
from handlers.records import samples
from handlers.watch import watch_pull_request
from handlers.watch_state import Watch
from tests.integration.watch.conftest import HOUR, Scene
from tests.support.histories import keep_golden

JITTER = timedelta(minutes=3, seconds=1)


def watched(scene: Scene) -> PullRequest:
    """A pull request that is watched, and was not reminded of yet."""
    pull_request = scene.open()
    scene.hear(pull_request, "opened")
    return pull_request


def ask(scene: Scene, pull_request: PullRequest, what: str, key: str = "1", **given: Any) -> bool:
    """Ask this of the watch, and let the bot do all that is due; whether it counted."""
    counted = scene.worker.client.signal(
        scene.describe(pull_request).workflow_id, what, Ask("zoe", **given), key=f"{what}/{key}"
    )
    scene.run()
    return counted


def state_of(scene: Scene, pull_request: PullRequest) -> Watch:
    """What the watch carries."""
    [state], _ = scene.worker.client.input(scene.describe(pull_request).workflow_id)
    assert isinstance(state, Watch)
    return state


def kinds(scene: Scene, pull_request: PullRequest) -> list[str]:
    return [happening.kind for happening in state_of(scene, pull_request).log]


def test_a_reminder_that_is_asked_for_comes_at_once_and_the_interval_begins_anew(scene: Scene) -> None:
    pull_request = watched(scene)
    scene.pass_time(HOUR / 2)
    assert ask(scene, pull_request, "remind")
    assert scene.texts(pull_request)[1].startswith("1st reminder, waiting 30 min")
    scene.pass_time(HOUR - timedelta(seconds=1))
    assert len(scene.texts(pull_request)) == 2
    assert scene.status(pull_request)["reminders_sent"] == 1
    scene.pass_time(JITTER)
    assert scene.status(pull_request)["reminders_sent"] == 2


def test_the_same_press_counts_once(scene: Scene) -> None:
    pull_request = watched(scene)
    assert ask(scene, pull_request, "remind")
    assert not ask(scene, pull_request, "remind")
    assert scene.status(pull_request)["reminders_sent"] == 1
    assert ask(scene, pull_request, "remind", key="2")
    assert scene.status(pull_request)["reminders_sent"] == 2


def test_who_asked_stands_in_the_log(scene: Scene) -> None:
    pull_request = watched(scene)
    ask(scene, pull_request, "remind")
    asked = [happening for happening in state_of(scene, pull_request).log if happening.kind == "asked"]
    assert [happening.facts for happening in asked] == [{"what": "remind", "by": "zoe", "until": None}]


def test_nobody_is_reminded_while_it_is_quiet_and_then_all_is_as_before(scene: Scene) -> None:
    pull_request = watched(scene)
    until = scene.time() + 4 * HOUR
    ask(scene, pull_request, "snooze", until=until)
    assert scene.status(pull_request)["snoozed"] == {"until": until.isoformat(), "by": "zoe"}
    scene.pass_time(4 * HOUR - timedelta(seconds=10))
    assert scene.status(pull_request)["reminders_sent"] == 0
    scene.pass_time(timedelta(seconds=20))
    assert scene.status(pull_request)["reminders_sent"] == 1
    assert scene.status(pull_request)["snoozed"] is None


def test_a_wake_undoes_the_quiet(scene: Scene) -> None:
    pull_request = watched(scene)
    due = scene.status(pull_request)["next_reminder_at"]
    ask(scene, pull_request, "snooze", until=scene.time() + 4 * HOUR)
    ask(scene, pull_request, "wake")
    assert scene.status(pull_request)["next_reminder_at"] == due


def test_a_draft_is_quiet_as_it_is(scene: Scene) -> None:
    pull_request = watched(scene)
    pull_request.set_draft(draft=True)
    scene.hear(pull_request, "converted_to_draft")
    due = scene.status(pull_request)["next_reminder_at"]
    ask(scene, pull_request, "snooze", until=scene.time() + 4 * HOUR)
    assert scene.status(pull_request)["next_reminder_at"] == due
    ask(scene, pull_request, "remind")
    assert scene.status(pull_request)["reminders_sent"] == 0


def test_what_is_asked_too_late_does_nothing(scene: Scene) -> None:
    pull_request = watched(scene)
    pull_request.merge()
    scene.hear(pull_request, "closed")
    ask(scene, pull_request, "remind")
    scene.pass_time(timedelta(seconds=6))
    assert scene.outcome(pull_request) == "merged"
    assert scene.describe(pull_request).unread_signals == 0


def test_what_is_asked_in_the_moment_of_the_end_is_left_for_no_later_watch(scene: Scene) -> None:
    pull_request = watched(scene)
    ended = replace(state_of(scene, pull_request), phase="ended", outcome="merged", workflow_id="pr:old")
    scene.worker.client.start(watch_pull_request, ended, workflow_id="pr:old")
    scene.worker.client.signal("pr:old", "remind", Ask("zoe"), key="late")
    scene.run()
    described = scene.worker.client.describe("pr:old")
    assert (described.state, described.unread_signals) == ("completed", 0)


def test_a_reminder_that_is_asked_for_when_it_is_over_says_goodbye_instead(scene: Scene) -> None:
    pull_request = watched(scene)
    pull_request.merge()  # and nobody told us
    ask(scene, pull_request, "remind")
    scene.pass_time(timedelta(seconds=6))
    assert scene.outcome(pull_request) == "merged"


def test_a_watch_that_an_earlier_release_put_to_sleep_hears_what_is_asked_from_its_next_wake_on(scene: Scene) -> None:
    pull_request = watched(scene)
    state = replace(state_of(scene, pull_request), signals=("github",), workflow_id="pr:old")
    scene.worker.client.start(watch_pull_request, state, workflow_id="pr:old")
    scene.run()
    scene.worker.client.signal("pr:old", "remind", Ask("zoe"), key="early")
    scene.run()
    assert scene.worker.client.describe("pr:old").status["reminders_sent"] == 0
    scene.pass_time(HOUR + JITTER)
    assert scene.worker.client.describe("pr:old").status["reminders_sent"] == 2
    assert scene.worker.client.describe("pr:old").state == "waiting"


def test_each_reminder_is_noted_with_when_it_was_due(scene: Scene) -> None:
    pull_request = watched(scene)
    began = scene.time()
    scene.pass_time(HOUR + JITTER)
    ask(scene, pull_request, "remind")
    with scene.database.reading() as connection:
        assert sum(count for _, count in samples.reminders_a_day(connection, began)) == 2
        late = [seconds for _, seconds in samples.lateness(connection, began)]
    assert all(0 <= seconds < 5 for seconds in late), late


def test_the_log_tells_the_story_from_beginning_to_end(scene: Scene) -> None:
    pull_request = watched(scene)
    scene.pass_time(3 * (HOUR + JITTER))
    pull_request.review("ada", "APPROVE")
    scene.pass_time(HOUR + JITTER)
    pull_request.merge()
    scene.hear(pull_request, "closed")
    scene.pass_time(timedelta(seconds=6))
    told = ["begun", "channel", "invited", "turn", "posted", "timer", "reminded", "timer", "turn", "reminded"]
    assert kinds(scene, pull_request) == [*told, "timer", "heard", "posted", "archived", "ended"]


def test_a_run_that_was_asked_something_replays_from_its_exported_history(scene: Scene) -> None:
    pull_request = watched(scene)
    ask(scene, pull_request, "snooze", until=scene.time() + HOUR * 4)
    with scene.database.reading() as connection:
        text = export(connection, scene.describe(pull_request).workflow_id)
    assert not isinstance(replay_exported(text, watch_pull_request), Divergence)
    keep_golden("watch-snoozed", text)


def test_a_reminder_that_an_earlier_release_had_half_done_is_replayed(
    scene: Scene, at_every_point: Callable[[injection.Hook | None], None]
) -> None:
    pull_request = watched(scene)
    scene.pass_time(HOUR + JITTER)
    seen: list[dict[str, Any]] = []

    def keep(_point: str) -> None:
        with scene.database.reading() as connection:
            seen.append(json.loads(export(connection, scene.describe(pull_request).workflow_id)))

    at_every_point(keep)
    scene.pass_time(HOUR + JITTER)
    at_every_point(None)
    whole = max(seen, key=lambda story: len(story["history"]))
    names = [entry["name"] for entry in whole["history"]]
    assert names == ["github|remind|snooze|wake", "look", "post_message", "delete_message", "note_reminder"]
    assert not isinstance(replay_exported(json.dumps(whole), watch_pull_request), Divergence)
    keep_golden("watch-reminding", json.dumps(whole, indent=1))

    earlier = whole | {"history": whole["history"][:-1]}
    earlier["history"][0]["name"] = "github"
    for field in ("log", "signals", "snooze"):
        del earlier["input"][0][0]["v"][field]
    assert not isinstance(replay_exported(json.dumps(earlier), watch_pull_request), Divergence)
    keep_golden("watch-reminding-before-the-log", json.dumps(earlier, indent=1))
