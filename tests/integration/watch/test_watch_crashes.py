"""A crash at every commit and every outward call in turn: each time one channel, each message once, an orderly end."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import text

from bot.demo.github_world import PullRequest
from durable.testing import CrashCounter
from tests.integration.watch.conftest import HOUR, Scene
from tests.support.deliveries import pull_request_delivery

SHARES = 4
"""The points are dealt to so many tests, so that several cores can share the work."""


class Crash(BaseException):
    """The process dies here: nothing catches this."""


class CrashAt:
    """Lets the process die at the `nth` point it comes to, and only there."""

    def __init__(self, nth: int) -> None:
        self.left = nth

    def __call__(self, point: str) -> None:
        self.left -= 1
        if self.left == 0:
            raise Crash(point)


def tell(scene: Scene, pull_request: PullRequest) -> None:
    """The main job in short: opened, reminded once, merged, archived. Whoever dies in the middle comes back."""
    scene.deliver(pull_request_delivery(pull_request, "opened"))
    survive(scene, timedelta(0))
    survive(scene, HOUR + timedelta(minutes=4))
    pull_request.merge()
    scene.deliver(pull_request_delivery(pull_request, "closed"))
    survive(scene, timedelta(seconds=10))


def survive(scene: Scene, duration: timedelta) -> None:
    """Live through `duration`, dying at most once."""
    until = scene.time() + duration
    try:
        scene.pass_time(duration)
    except Crash:
        come_back(scene)
        scene.pass_time(max(until - scene.time(), timedelta(0)))
        come_back(scene)


def come_back(scene: Scene) -> None:
    """What a successor does: take over at once. What waits on the real clock for a settled answer is due."""
    for _ in range(3):
        with scene.database.engine.begin() as connection:
            connection.execute(
                text("UPDATE durable.workflows SET state = 'waiting', wake_at = durable.now() WHERE state = 'running'")
            )
            connection.execute(
                text("UPDATE durable.workflows SET wake_at = durable.now() WHERE state = 'waiting' AND wake_real")
            )
            connection.execute(
                text(
                    "UPDATE durable.history SET due_at = durable.now() FROM durable.workflows"
                    " WHERE workflows.key = history.workflow_key AND history.state = 'started'"
                )
            )
        scene.run()


def check(scene: Scene, pull_request: PullRequest, where: str) -> None:
    [channel] = scene.channels(pull_request)
    posts = scene.world.slack.posts(channel.id)
    keys = Counter(post.key for post in posts)
    told = [post.text for post in posts]
    assert channel.archived, where
    assert max(keys.values()) == 1, (where, told)
    assert len(told) == 2, (where, told)  # the summary and the closing message; the reminder was taken away
    posted = [
        call for call in scene.world.slack_proxy.calls("chat.postMessage") if call.arguments["channel"] == channel.id
    ]
    assert len({call.key for call in posted}) == len([call for call in posted if call.applied]) == 3, where
    assert scene.outcome(pull_request) == "merged", where


@pytest.mark.parametrize("share", range(SHARES))
def test_wherever_the_process_dies_the_story_is_told_once(
    scene: Scene, share: int, at_every_point: Callable[[Callable[[str], None] | None], None]
) -> None:
    counter = CrashCounter()
    first = scene.open("Crash-free", reviewers=("ada",))
    at_every_point(counter)
    tell(scene, first)
    at_every_point(None)
    check(scene, first, "no crash")
    ours = [nth for nth, point in enumerate(counter.points, start=1) if not point.endswith(" advance")]
    assert len(ours) > 40
    for nth in ours[share::SHARES]:
        pull_request = scene.open(f"Crash {nth}", reviewers=("ada",))
        at_every_point(CrashAt(nth))
        tell(scene, pull_request)
        at_every_point(None)
        check(scene, pull_request, f"crash at {nth}: {counter.points[nth - 1]}")
