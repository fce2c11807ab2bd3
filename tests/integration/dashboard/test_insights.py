"""The page of plots, and the samples that it draws."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from bot.sampler import Sampler
from durable.intake import Delivery, Intake
from durable.postgres import Database
from durable.serde import encode
from durable.testing import advance
from handlers.records import samples
from handlers.records.samples import Sample
from tests.integration.dashboard.conftest import House
from tests.support.boards import put, watch_of

MINUTE = timedelta(minutes=1)


@pytest.fixture
def sampler(house: House) -> Sampler:
    return Sampler(house.database, house.client)


def kept(database: Database) -> list[Sample]:
    with database.reading() as connection:
        return list(samples.since(connection, datetime.fromisoformat("2000-01-01T00:00:00Z")))


def remind(house: House, *late: float, ago: timedelta = timedelta()) -> None:
    """Note reminders that were posted so many seconds late."""
    with house.database.transaction("test") as connection:
        for number, seconds in enumerate(late):
            posted = house.now() - ago
            row = {
                "workflow_id": "pr:x",
                "message": f"{ago}-{number}",
                "number": number,
                "due_at": posted - timedelta(seconds=seconds),
                "posted_at": posted,
            }
            connection.execute(samples.reminders.insert().values(row))


def half_past(house: House) -> None:
    """Move on to the half of a minute, so that none ends while a test looks."""
    advance(house.database, timedelta(seconds=90 - house.now().second))


def figure(page: str, id_: str) -> str:
    """One figure of the page."""
    return page.split(f'<figure class="card" id="{id_}">')[1].partition("</figure>")[0]


def test_nobody_sees_insights_without_signing_in(house: House) -> None:
    assert house.anonymous.get("/insights").status_code == 401


def test_without_data_each_plot_says_when_its_first_point_comes(house: House) -> None:
    page = house.page("/insights")
    assert '<svg class="plot"' not in page
    assert "The first point appears within a minute." in figure(page, "deliveries")
    assert "The first bar appears with the first reminder." in figure(page, "reminders")
    assert "Shown once a pull request is watched." in figure(page, "age")


def test_a_minute_is_sampled_once_however_many_processes_look(house: House, sampler: Sampler) -> None:
    half_past(house)
    assert [sampler.sample(), Sampler(house.database, house.client).sample(), sampler.sample()] == [True, False, False]
    advance(house.database, MINUTE)
    assert sampler.sample()
    first, second = kept(house.database)
    assert second.minute - first.minute == MINUTE
    assert second.minute < house.now() - timedelta(seconds=house.now().second)


def test_a_sample_says_what_came_what_is_due_and_what_is_watched(house: House, sampler: Sampler) -> None:
    intake = Intake(house.database)
    for number in range(3):
        intake.put(Delivery("github", f"d{number}", {}, b"{}"))
    put(house.database, watch_of(1, house.now()))
    house.client.start(house.management.workflows["echo"], "x", workflow_id="due")
    half_past(house)
    with house.database.transaction(
        "test"
    ) as connection:  # the engine's minute before, whose second half has just begun
        connection.execute(
            text("UPDATE durable.deliveries SET received_at = clock_timestamp() - interval '45 seconds'")
        )
    assert sampler.sample()
    [sample] = kept(house.database)
    assert (sample.deliveries, sample.watched, sample.due, sample.lag_seconds > 30) == (3, 1, 2, True)


def test_samples_are_forgotten_after_a_month(house: House, sampler: Sampler) -> None:
    sampler.sample()
    advance(house.database, timedelta(days=31))
    sampler.sample()
    assert len(kept(house.database)) == 1


def test_reminders_are_forgotten_after_a_year(house: House, sampler: Sampler) -> None:
    remind(house, 1.0, ago=timedelta(days=370))
    remind(house, 2.0, ago=timedelta(days=350))
    sampler.sample()
    with house.database.reading() as connection:
        assert [late for _, late in samples.lateness(connection, house.now() - timedelta(days=999))] == [2.0]


def test_deliveries_and_lag_are_drawn_from_the_samples(house: House) -> None:
    now = house.now().replace(second=0, microsecond=0)
    with house.database.transaction("test") as connection:
        for number in range(1, 6):
            samples.keep(connection, Sample(now - number * MINUTE, 2, number * 7.0, number, 1))
    page = house.page("/insights")
    assert "15 deliveries in 3 h, at most 5 in a minute." in figure(page, "deliveries")
    assert f'<td>{now - 5 * MINUTE:%H:%M}</td><td class="number">5</td>' in figure(page, "deliveries")
    assert "In 24 h nothing waited for a worker for more than 35 s." in figure(page, "lag")
    assert page.count('role="img"') == 2


def test_reminders_are_counted_by_the_day_and_their_lateness_by_the_hour(house: House) -> None:
    remind(house, 0.5, 0.7, 2.0)
    remind(house, 1.0, ago=timedelta(days=9))
    page = house.page("/insights")
    assert "4 in 30 days, 3 of them today (UTC)." in figure(page, "reminders")
    assert "3 reminders in 24 h, the latest 2 s after it was due." in figure(page, "lateness")
    assert '<td class="number">700 ms</td>' in figure(page, "lateness")


def test_open_pull_requests_are_drawn_by_age_and_by_whose_turn_it_is(house: House) -> None:
    for number in range(3):
        put(house.database, watch_of(number, house.now()))
    house.worker.run_until_idle()
    advance(house.database, timedelta(hours=5))
    page = house.page("/insights")
    assert "3 open pull requests by how long they have been watched." in figure(page, "age")
    assert '<td>4 h to 1 d</td><td class="number">3</td>' in figure(page, "age")
    assert '<circle class="dot"' in figure(page, "waiting")


def test_a_status_that_nobody_expects_is_left_out_and_shown_as_text_alone(house: House) -> None:
    hostile: list[Any] = [
        {"turn": {"reason": "<script>alert(1)</script>"}, "waiting_since": house.now().isoformat()},
        {"turn": None, "waiting_since": None},
        {"turn": {"reason": "approved"}, "waiting_since": "soon"},
        "odd",
    ]
    for number, status in enumerate(hostile):
        put(house.database, watch_of(number, house.now()))
        house.worker.run_until_idle()
        _set_status(house, status)
    page = house.page("/insights")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in figure(page, "waiting")


def _set_status(house: House, status: Any) -> None:
    with house.database.transaction("test") as connection:
        connection.execute(
            text(
                "UPDATE durable.runs SET status = :status WHERE workflow_key = (SELECT max(key) FROM durable.workflows"
                " WHERE name = 'watch_pull_request')"
            ),
            {"status": encode(status)},
        )
