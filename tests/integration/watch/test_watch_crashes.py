"""SIGKILL at every commit and every outward call in turn: each time one channel, each message once, an orderly end."""

from collections import Counter

import pytest

from bot.demo.github_world import PullRequest
from durable.intake import Delivery as Stored
from tests.integration.watch.conftest import HOUR, Scene
from tests.integration.watch.mortal import NEVER, Life, die_in
from tests.support.chaos import EVERY
from tests.support.deliveries import Delivery, pull_request_delivery

SHARES = 6
"""The points are dealt to so many tests, so that several cores can share the work."""

TILL_REMINDED = HOUR.total_seconds() * 1.06
TILL_ARCHIVED = 10.0


def life(scene: Scene, sent: Delivery, seconds: float) -> Life:
    """What one process does: this delivery, and so much time from now."""
    headers = {"x-github-event": sent.event, "x-github-delivery": sent.id}
    return Life(
        database_url=scene.database.url.render_as_string(hide_password=False),
        github_url=scene.world.github_proxy.url,
        slack_url=scene.world.slack_proxy.url,
        delivery=Stored("github", sent.id, headers, sent.body),
        since=scene.time().isoformat(),
        seconds=seconds,
    )


def lived(present: Life, nth: int) -> list[str]:
    """Live it, dying at the `nth` point; who dies has a successor. Returns the points of who lived to the end."""
    points = die_in(present, nth)
    if points is None:
        points = die_in(present, NEVER)
    assert points is not None
    return points


def tell(scene: Scene, pull_request: PullRequest, opening: int, closing: int) -> tuple[list[str], list[str]]:
    """The main job in short: opened, reminded once, merged, archived; with a death at these points."""
    begun = lived(life(scene, pull_request_delivery(pull_request, "opened"), TILL_REMINDED), opening)
    pull_request.merge()
    ended = lived(life(scene, pull_request_delivery(pull_request, "closed"), TILL_ARCHIVED), closing)
    return begun, ended


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
@pytest.mark.chaos
def test_wherever_the_process_is_killed_the_story_is_told_once(scene: Scene, share: int) -> None:
    first = scene.open("Crash-free", reviewers=("ada",))
    opening, closing = tell(scene, first, NEVER, NEVER)
    check(scene, first, "no crash")
    deaths = [(nth, NEVER, point) for nth, point in enumerate(opening, start=1)]
    deaths += [(NEVER, nth, point) for nth, point in enumerate(closing, start=1)]
    assert len(deaths) > 40
    for opening_death, closing_death, point in deaths[::EVERY][share::SHARES]:
        pull_request = scene.open(f"Killed at {opening_death} {closing_death}", reviewers=("ada",))
        tell(scene, pull_request, opening_death, closing_death)
        check(
            scene, pull_request, f"killed at {point}, point {opening_death} of the opening, {closing_death} of the end"
        )
