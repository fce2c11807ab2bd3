"""Which life a step is in, after any rewinds: what tells its effects apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable.model import ActivityInfo, member_id, rewinds_before


@pytest.mark.parametrize(
    ("rewound", "lives"),
    [
        ([], [0, 0, 0, 0]),
        ([1], [0, 1, 1, 1]),
        ([3], [0, 0, 0, 1]),
        ([3, 1], [0, 2, 2, 2]),
        ([1, 3], [0, 1, 1, 2]),
        ([2, 2], [0, 0, 2, 2]),
    ],
)
def test_a_step_is_in_the_life_that_the_last_rewind_to_before_it_began(rewound: list[int], lives: list[int]) -> None:
    assert [rewinds_before(rewound, step) for step in (1, 2, 3, 4)] == lives


def test_a_life_is_part_of_the_key_and_of_the_ids_of_children() -> None:
    assert ActivityInfo("w", 1, 2, 1, 10).key == "w/1/2"
    assert ActivityInfo("w", 1, 2, 1, 10, rewinds=3).key == "w/1/2~3"
    assert (member_id("w", 1, 2, 0), member_id("w", 1, 2, 0, 3)) == ("w~1.2.0", "w~1.2.0.3")


@given(st.lists(st.integers(1, 8), max_size=6))
def test_no_step_that_is_taken_anew_has_a_life_it_had_before(rewound: list[int]) -> None:
    seen = {(step, 0) for step in range(1, 10)}
    for number in range(1, len(rewound) + 1):
        known = rewound[:number]
        anew = {(step, rewinds_before(known, step)) for step in range(known[-1] + 1, 10)}
        assert not anew & seen
        seen |= anew
