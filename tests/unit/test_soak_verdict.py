"""When a series of a soak counts as flat."""

from math import sin

import pytest

from tests.soak.verdict import judge

HOUR = [float(at) for at in range(0, 3600, 5)]
TABLE = "tables, KB: history"


def test_a_level_series_is_flat() -> None:
    verdict = judge(TABLE, HOUR, [1000.0 + sin(at) for at in HOUR])
    assert verdict.is_flat
    assert verdict.level == pytest.approx(1000, abs=1)


def test_a_series_that_rises_by_a_fifth_in_the_second_half_has_grown() -> None:
    verdict = judge(TABLE, HOUR, [10_000 * (1 + at / 3600) for at in HOUR])
    assert not verdict.is_flat
    assert verdict.growth == pytest.approx(5_000, rel=0.01)


def test_what_rises_only_while_it_warms_up_is_flat() -> None:
    assert judge(TABLE, HOUR, [min(at, 600.0) * 100 for at in HOUR]).is_flat


def test_what_is_vacuumed_each_minute_is_flat() -> None:
    assert judge("dead rows: history", HOUR, [at % 60 * 100 for at in HOUR]).is_flat


def test_what_falls_is_flat() -> None:
    assert judge(TABLE, HOUR, [10_000 - at for at in HOUR]).is_flat


def test_a_rise_too_small_to_mean_anything_is_flat() -> None:
    assert judge(TABLE, HOUR, [8.0 + 16 * (at > 3000) for at in HOUR]).is_flat


def test_two_samples_are_too_few() -> None:
    with pytest.raises(ValueError, match="2 samples are too few to judge"):
        judge(TABLE, HOUR[:2], [1.0, 2.0])
