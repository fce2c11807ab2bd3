import pytest

from durable import RetryPolicy


def test_delays_grow_to_the_longest_and_end_with_the_attempts() -> None:
    policy = RetryPolicy(first=1, factor=3, longest=10, attempts=4)
    assert [policy.delay(attempt) for attempt in (1, 2, 3, 4)] == [1, 3, 9, None]


def test_a_policy_without_limit_never_ends_and_never_overflows() -> None:
    assert RetryPolicy(attempts=None).delay(10_000) == 300


@pytest.mark.parametrize("wrong", [{"first": 0}, {"factor": 0.5}, {"first": 10, "longest": 5}, {"attempts": 0}])
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="RetryPolicy"):
        RetryPolicy(**wrong)  # type: ignore[arg-type] # on purpose
