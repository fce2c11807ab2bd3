"""The page of schedules: what comes next, what ran last, and who may steer it."""

from datetime import timedelta
from urllib.parse import quote

import pytest

from durable.scheduler import Schedules
from durable.schedules import CatchUp, Cron, Every
from durable.testing import advance
from tests.integration.api.programs import echo
from tests.integration.dashboard.conftest import House
from tests.integration.dashboard.test_workers import latest_act

HOSTILE = "<b>loud</b>"
NAME = "nightly"
VERBS = ("pause", "resume", "trigger")


@pytest.fixture
def schedules(house: House) -> Schedules:
    """One schedule, of every hour."""
    found = Schedules(house.database)
    found.put(NAME, echo, "x", spec=Every(timedelta(hours=1)))
    return found


def told(house: House, verb: str, name: str = NAME) -> str:
    """What an admin is told after pressing this button."""
    answer = house.admin.post(
        f"/schedules/{quote(name, safe=':@')}/{verb}", headers={"Referer": "http://bot/schedules"}
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/schedules")
    return house.admin.get("/schedules").text


def test_without_schedules_the_page_says_how_to_get_one(house: House) -> None:
    page = house.page("/schedules")
    assert "Nothing recurs yet" in page
    assert "periodic" in page
    assert house.anonymous.get("/schedules").status_code == 401


@pytest.mark.usefixtures("schedules")
def test_a_schedule_shows_its_next_five_times(house: House) -> None:
    page = house.page("/schedules")
    hour = house.now().replace(minute=0, second=0, microsecond=0)
    following = [hour + timedelta(hours=number) for number in range(1, 7)]
    assert [f"{moment:%Y-%m-%d %H:%M:%S}</time></li>" in page for moment in following] == [True] * 5 + [False]
    assert "every 1 h" in page
    assert "none yet" in page


def test_each_kind_of_times_is_said_in_words(house: House, schedules: Schedules) -> None:
    schedules.put("digest", echo, "x", spec=Cron("0 9 * * mon-fri", "Europe/Berlin", jitter=timedelta(seconds=30)))
    schedules.put("late", echo, "x", spec=Every(timedelta(minutes=5), catch_up=CatchUp("all", most=7)))
    page = house.page("/schedules")
    assert "0 9 * * mon-fri (Europe/Berlin), up to 30 s late" in page
    assert "missed times: the latest 7 run" in page


def test_the_last_run_is_a_link_with_its_state(house: House, schedules: Schedules) -> None:
    due = schedules.list()[0].next[0]
    advance(house.database, due - house.now() + timedelta(seconds=1))
    house.worker.run_until_idle()
    [occurrence] = schedules.occurrences(NAME)
    page = house.page("/schedules")
    assert f'href="/workflows/{occurrence.workflow_id}"' in page
    assert '<span class="state completed">completed</span>' in page
    house.management.operator.purge(occurrence.workflow_id or "")
    assert "forgotten since" in house.page("/schedules")


@pytest.mark.usefixtures("schedules")
def test_an_admin_pauses_resumes_and_runs_a_schedule(house: House) -> None:
    assert "nightly is paused" in told(house, "pause")
    page = house.page("/schedules")
    assert "none while it is paused" in page
    assert "nightly is paused already" in told(house, "pause")
    assert latest_act(house) == ("pause schedule", NAME, "refused: nightly is paused already")
    assert "-now-" in told(house, "trigger")
    house.worker.run_until_idle()
    assert '<span class="state completed">completed</span>' in house.page("/schedules")
    assert "nightly goes on" in told(house, "resume")
    assert latest_act(house) == ("resume schedule", NAME, "done")
    assert "nightly is not paused" in told(house, "resume")


@pytest.mark.parametrize("verb", VERBS)
def test_a_schedule_that_there_is_not_is_not_steered(house: House, verb: str) -> None:
    assert "no schedule has the name" in told(house, verb, "nobody")


@pytest.mark.parametrize("verb", VERBS)
def test_a_viewer_steers_no_schedule(house: House, schedules: Schedules, verb: str) -> None:
    if verb == "resume":
        schedules.pause(NAME)
    before = [schedule.paused for schedule in schedules.list()]
    path = f"/schedules/{NAME}/{verb}"
    assert [client.post(path).status_code for client in (house.viewer, house.anonymous)] == [403, 401]
    assert [schedule.paused for schedule in schedules.list()] == before
    assert schedules.occurrences(NAME) == []
    assert "<form" not in house.page("/schedules").partition("<main")[2].partition("</main>")[0]


def test_a_hostile_name_is_only_text_and_can_be_steered(house: House, schedules: Schedules) -> None:
    schedules.put(HOSTILE.replace("/", "!"), echo, "x", spec=Every(timedelta(hours=2)))
    page = house.admin.get("/schedules").text
    assert "<b>loud" not in page
    assert "&lt;b&gt;loud" in page
    assert "is paused" in told(house, "pause", HOSTILE.replace("/", "!"))
