"""The flows of config/flows on real parts: what they post, once, and what they say where they have nothing to post."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from bot import programs
from bot.demo.slack_world import BOT_USER, Message
from config.policy import Digest, Policy
from durable import injection
from durable.flows import FlowRun, FlowRuns, Flows
from durable.scheduler import Schedules
from durable.testing import InlineWorker, advance
from durable.worker.orphans import settle_orphans
from handlers.flows.tasks import NO_CHANNEL
from handlers.flows.watches import Watches
from handlers.router import github_router
from handlers.watch import watch_pull_request
from integrations.slack.api import Slack
from tests.integration.durable.crash_stage import Crash, Fate
from tests.integration.watch.conftest import POLICY, Scene
from tests.support.chaos import EVERY

SHIPPED = Path(__file__).parents[3] / "config" / "flows"
REVIEWS = Digest("#reviews", timedelta(days=7))
_DEAD = text("UPDATE durable.workers SET lease_until = clock_timestamp() WHERE lease_until > clock_timestamp()")
_LATER = text("UPDATE vigil.pull_requests SET watched_at = watched_at + interval '1 hour'")
_GONE = text("UPDATE vigil.pull_requests SET repo = 'nothing-there'")
_AT_ONCE = text("UPDATE durable.workflows SET wake_at = durable.now() WHERE state = 'waiting' AND wake_real")


class Office:
    """A scene whose worker knows the flows that come with Vigil, too."""

    def __init__(self, scene: Scene, flows: Flows, stack: ExitStack) -> None:
        self.scene = scene
        self.flows = flows
        self.runs = FlowRuns(scene.database, flows)
        self._stack = stack
        self.channel = scene.resources[Slack].create_channel("reviews", private=False).id

    def worker(self, policy: Policy) -> InlineWorker:
        """Another worker, under this policy."""
        resources: dict[Any, Any] = {**self.scene.resources, Policy: policy, Watches: Watches(self.scene.database)}
        worker = InlineWorker(
            self.scene.database,
            workflows=[watch_pull_request, *self.flows.workflows()],
            resources=resources,
            routes={"github": github_router(policy)},
            guard=False,
        )
        self._stack.callback(worker.close)
        return worker

    def run(self, name: str, payload: dict[str, Any] | None = None, digest: Digest = REVIEWS) -> FlowRun:
        """Run a flow to its end."""
        run_id = self.runs.start(name, payload or {})
        self.worker(replace(POLICY, digest=digest)).run_until_idle()
        return self.runs.get(run_id)

    def posts(self) -> list[Message]:
        """What was posted in the channel."""
        return self.scene.world.slack.posts(self.channel)


@pytest.fixture
def office(scene: Scene) -> Iterator[Office]:
    with ExitStack() as stack:
        yield Office(scene, programs.load((), SHIPPED).flows, stack)


def test_the_digest_names_whoever_is_waited_for_longest_first_and_pings_nobody(office: Office) -> None:
    first = office.scene.open("Add a <cache>", reviewers=("ada",))
    office.scene.hear(first, "opened")
    office.scene.pass_time(timedelta(minutes=30))
    second = office.scene.open("Fix the door", reviewers=("grace",))
    office.scene.hear(second, "opened")
    run = office.run("vigil.DIGEST")
    assert run.status == "success"
    [post] = office.posts()
    assert post.text == "2 pull requests waiting"
    assert run.tasks[-1].result == f"posted in {office.channel}: {post.text}"
    waits_longer, waits = post.words.index("*ada*"), post.words.index("*grace*")
    assert waits_longer < post.words.index("Add a &lt;cache&gt;") < waits < post.words.index("Fix the door")
    assert f"<#{office.scene.channel(first).id}>: review requested, waiting 30 min" in post.words
    assert "<@" not in post.words


def test_the_sweep_names_what_nothing_happened_to_and_is_silent_where_there_is_nothing(office: Office) -> None:
    pull_request = office.scene.open("Forgotten", reviewers=("ada",))
    office.scene.hear(pull_request, "opened")
    quiet = office.run("vigil.STALE")
    assert (quiet.tasks[-1].result, office.posts()) == ("no pull request has become stale", [])
    advance(office.scene.database, timedelta(days=7, hours=1))
    office.scene.run()
    assert office.run("vigil.STALE").status == "success"
    [post] = office.posts()
    assert post.text == "1 pull request without activity for 7 d or longer"
    assert "Forgotten" in post.words
    assert "quiet for 7 d" in post.words


def test_the_report_counts_what_was_opened_and_merged(office: Office) -> None:
    merged, still_open = office.scene.open("Merged"), office.scene.open("Open")
    for pull_request in (merged, still_open):
        office.scene.hear(pull_request, "opened")
    merged.merge()
    office.scene.hear(merged, "closed")
    office.scene.pass_time(timedelta(minutes=1))
    assert office.scene.outcome(merged) == "merged"
    assert office.run("vigil.REPORT").status == "success"
    [post] = office.posts()
    assert "2 opened, 1 merged, 1 open now" in post.text


def test_the_sweep_begins_what_is_open_and_of_which_no_delivery_came(office: Office) -> None:
    scene = office.scene
    scene.hear(scene.open("Heard of"), "opened")
    lost = scene.open("Lost on its way")
    run = office.run("vigil.SWEEP", digest=Digest())
    assert (run.status, run.tasks[-1].result) == ("success", f"1 repository, 1 begun: acme/api#{lost.number}")
    assert scene.status(lost)["phase"] == "watching"
    again = office.run("vigil.SWEEP")
    assert again.tasks[-1].result == "1 repository, none was missed"
    assert len(scene.channels(lost)) == 1


def test_the_sweep_leaves_alone_what_is_older_than_the_first_watch_of_its_repository(office: Office) -> None:
    older = office.scene.open("Older than the bot")
    office.scene.hear(office.scene.open("Heard of"), "opened")
    with office.scene.database.transaction("test") as connection:
        connection.execute(_LATER)
    assert office.run("vigil.SWEEP").tasks[-1].result == "1 repository, none was missed"
    assert office.scene.channels(older) == []


def test_the_sweep_reads_only_what_the_policy_watches_and_says_what_it_may_not_read(office: Office) -> None:
    office.scene.hear(office.scene.open(), "opened")
    with office.scene.database.transaction("test") as connection:
        connection.execute(_GONE)
    told = office.run("vigil.SWEEP").tasks[-1].result
    assert told.startswith("1 repository, none was missed; listing acme/nothing-there: ")
    run_id = office.runs.start("vigil.SWEEP", {})
    office.worker(replace(POLICY, repositories=("others/*",))).run_until_idle()
    assert office.runs.get(run_id).tasks[-1].result == "0 repositories, none was missed"


def test_the_sweep_leaves_alone_what_somebody_ended_and_begins_what_was_reopened(office: Office) -> None:
    scene = office.scene
    stopped, reopened = scene.open("Stopped"), scene.open("Reopened")
    for pull_request in (stopped, reopened):
        scene.hear(pull_request, "opened")
    scene.world.slack.archive_as_admin(scene.channel(stopped).id)
    scene.hear(stopped, "edited")
    reopened.close()
    scene.hear(reopened, "closed")
    scene.pass_time(timedelta(minutes=70))
    assert scene.outcome(stopped).startswith("channel lost")
    assert scene.outcome(reopened) == "closed"
    reopened.reopen()
    run = office.run("vigil.SWEEP")
    assert run.tasks[-1].result == f"1 repository, 1 begun: acme/api#{reopened.number}"
    assert scene.describe(stopped).state == "completed"


@pytest.mark.parametrize("name", ["vigil.DIGEST", "vigil.STALE", "vigil.REPORT"])
def test_without_a_channel_the_flows_say_so_and_post_nothing(office: Office, name: str) -> None:
    run = office.run(name, digest=Digest())
    assert (run.status, run.tasks[-1].result) == ("success", NO_CHANNEL)
    assert office.scene.world.slack_proxy.calls("chat.postMessage") == []


def test_a_payload_sends_the_digest_to_another_channel(office: Office) -> None:
    other = office.scene.resources[Slack].create_channel("team-a", private=False).id
    assert office.run("vigil.DIGEST", {"channel": other}, Digest()).status == "success"
    assert [post.text for post in office.scene.world.slack.posts(other)] == ["No pull request is waiting"]


def test_a_channel_without_the_bot_fails_the_flow_with_what_to_do(office: Office) -> None:
    office.scene.world.slack.remove_bot(office.channel)
    run = office.run("vigil.DIGEST")
    assert run.status == "error"
    assert "invite the bot, or correct digest.channel" in run.tasks[0].result["exception"]
    assert BOT_USER not in office.scene.world.slack.members(office.channel)


def test_the_flows_that_come_with_vigil_are_read_by_default_and_run_by_themselves(office: Office) -> None:
    assert set(office.flows.flows) == {"vigil.DIGEST", "vigil.REPORT", "vigil.STALE", "vigil.SWEEP"}
    office.flows.put_schedules(office.scene.database)
    assert [each.name for each in Schedules(office.scene.database).list()] == [
        "flow:vigil.DIGEST",
        "flow:vigil.REPORT",
        "flow:vigil.STALE",
        "flow:vigil.SWEEP",
    ]
    office.worker(POLICY).run_for(timedelta(days=7))
    ran = [run.full_name for run in office.runs.page(1, 100)]
    assert {name: ran.count(name) for name in set(ran)} == {
        "vigil.DIGEST": 5,
        "vigil.REPORT": 1,
        "vigil.STALE": 7,
        "vigil.SWEEP": 7,
    }


@pytest.mark.chaos
def test_wherever_the_worker_dies_the_digest_is_posted_once(office: Office) -> None:
    office.scene.hear(office.scene.open("Crash-free", reviewers=("ada",)), "opened")
    [points] = lived(office)
    assert len(office.posts()) == 1
    assert len(points) > 10
    for posted, point in enumerate(range(1, len(points) + 1, EVERY), start=2):
        lived(office, point)
        assert [post.text for post in office.posts()] == ["1 pull request waiting"] * posted, points[point - 1]


def lived(office: Office, *deaths: int) -> list[list[str]]:
    """Run the digest to its end with deaths at these points, each with a successor; returns the points of each life."""
    policy, database = replace(POLICY, digest=REVIEWS), office.scene.database
    run_id = office.runs.start("vigil.DIGEST", {})
    worker, fate = office.worker(policy), Fate(deaths)
    injection.install(fate)
    settle: Callable[[], object] = worker.run_until_idle
    try:
        while office.runs.get(run_id).status in ("pending", "progress"):
            try:
                settle()
                with database.transaction("test") as connection:
                    connection.execute(_AT_ONCE)  # an answer in doubt is looked into after a while
            except Crash:
                worker._lease.stop()
                with database.transaction("test") as connection:
                    connection.execute(_DEAD)
                worker = office.worker(policy)
                worker.take_over()
                settle_orphans(database)
                settle = worker.run_until_idle
    finally:
        injection.install(None)
    assert office.runs.get(run_id).status == "success"
    return fate.lives
