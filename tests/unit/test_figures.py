"""The figures of the insights: whatever was measured, the table says the same as the plot."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from bot.dashboard import figures
from handlers.records.samples import Lateness, Sample

NOW = datetime(2026, 11, 22, 15, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SECONDS = st.floats(0, 4e8)
SAMPLES = st.lists(
    st.builds(
        lambda ago, lag, many: Sample(NOW - ago * MINUTE, 1, lag, many, 1),
        st.integers(-5, 1440),
        st.floats(0, 1e6),
        st.integers(0, 10**6),
    ),
    unique_by=lambda sample: sample.minute,
).map(lambda samples: sorted(samples, key=lambda sample: sample.minute))


@given(st.lists(SECONDS, max_size=50))
def test_every_open_pull_request_has_an_age(watched_for: list[float]) -> None:
    figure = figures.ages(watched_for)
    assert sum(int(count) for _, count in figure.rows) == len(watched_for)
    assert (figure.plot is None) == (not watched_for)


def test_an_age_counts_where_it_belongs() -> None:
    hours = [0.5, 1, 3.9, 4, 25, 24 * 3, 24 * 27, 24 * 400]
    figure = figures.ages([hour * 3600 for hour in hours])
    assert [count for _, count in figure.rows] == ["1", "2", "1", "1", "1", "0", "1", "1"]


@given(st.dictionaries(st.text(max_size=20), st.lists(SECONDS, min_size=1, max_size=9), max_size=6))
def test_every_wait_is_a_dot_in_the_row_of_its_turn(waiting: dict[str, list[float]]) -> None:
    figure = figures.waits(waiting)
    many = sum(map(len, waiting.values()))
    assert (figure.plot or "").count("<circle") == many == sum(int(row[1]) for row in figure.rows)


@given(SAMPLES)
def test_each_minute_that_was_sampled_is_in_the_table(samples: list[Sample]) -> None:
    figure = figures.deliveries(samples, NOW)
    lately = [sample for sample in samples if sample.minute >= NOW - figures.DELIVERIES_FOR]
    assert [row[1] for row in figure.rows] == [str(sample.deliveries) for sample in reversed(lately)]
    assert bool(figures.lag(samples, NOW).plot) == bool(samples)


def test_of_ten_minutes_the_longest_wait_is_shown() -> None:
    samples = [Sample(NOW - ago * MINUTE, 1, lag, 0, 1) for ago, lag in ((14, 3.0), (12, 61.0), (8, 0.25))]
    assert list(figures.lag(samples, NOW).rows) == [("Nov 22, 15:20", "250 ms"), ("Nov 22, 15:10", "1 min 1 s")]


@given(st.dictionaries(st.dates(date(2026, 10, 1), date(2026, 11, 22)), st.integers(1, 10**6)))
def test_thirty_days_are_shown_whether_they_had_reminders_or_not(counts: dict[date, int]) -> None:
    figure = figures.reminders(counts.items(), NOW.date())
    assert len(figure.rows) == figures.REMINDERS_FOR
    shown = sum(count for day, count in counts.items() if day > NOW.date() - timedelta(days=figures.REMINDERS_FOR))
    assert sum(int(count) for _, count in figure.rows) == shown


@given(st.lists(st.tuples(st.integers(0, 24), st.floats(0, 1e5), st.floats(0, 1e5)), max_size=25))
def test_each_hour_of_lateness_is_a_dot_with_its_numbers(found: list[tuple[int, float, float]]) -> None:
    begun = NOW.replace(minute=0)
    hours = [Lateness(begun - timedelta(hours=ago), 3, min(a, b), max(a, b), max(a, b)) for ago, a, b in found]
    figure = figures.lateness(hours, NOW)
    assert (figure.plot or "").count("<circle") == len(hours) == len(figure.rows)
