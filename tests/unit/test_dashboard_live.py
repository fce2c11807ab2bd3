"""What is sent of a page that was looked at again: what has changed, and no more."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from bot.dashboard.live import changes, moves, taken_apart


def page(rows: Sequence[str], *, title: str = "Board", **contents: str) -> str:
    """A page with a figure and a list of rows."""
    written = "".join(f'<!--[{id_}--><tr id="{id_}">{contents.get(id_, "as ever")}</tr><!--]-->\n' for id_ in rows)
    figure = f'<!--[figure--><p id="figure">{len(rows)}</p><!--]-->'
    return f'<h1>{title}</h1>{figure}<tbody id="rows"><!--{{rows-->\n{written}<!--}}--></tbody>'


def changed(before: str, after: str) -> dict[str, object]:
    return dict(changes(taken_apart(before), taken_apart(after)))


def test_when_nothing_has_changed_nothing_is_sent() -> None:
    assert changed(page("abc"), page("abc")) == {}


def test_what_a_time_says_is_no_change_and_what_it_is_is_one() -> None:
    times = ['<time datetime="1" data-ago>1 s ago</time>', '<time datetime="1" data-ago>2 s ago</time>']
    assert changed(page("ab", a=times[0]), page("ab", a=times[1])) == {}
    assert set(changed(page("ab", a=times[0]), page("ab", a=times[0].replace('"1"', '"2"')))) == {"a"}


def test_of_regions_those_that_changed_are_sent_alone() -> None:
    assert changed(page("abc"), page("abc", b="new")) == {"b": '<tr id="b">new</tr>'}


def test_when_the_frame_changes_the_whole_is_sent() -> None:
    assert changed(page("abc"), page("abc", title="Other")) == {"main": page("abc", title="Other")}


def test_a_region_that_changes_its_place_is_named_with_what_it_comes_behind() -> None:
    assert changed(page("abcd"), page("bcda")) == {"rows": [("a", "d")]}
    assert changed(page("abcd"), page("dabc")) == {"rows": [("d", None)]}


def test_regions_that_come_are_sent_with_their_place_and_those_that_go_are_named() -> None:
    came = changed(page("ab"), page("axb"))
    assert came == {"figure": '<p id="figure">3</p>', "rows": [("x", "a")], "x": '<tr id="x">as ever</tr>'}
    assert changed(page("ab"), page("b")) == {"a": "", "figure": '<p id="figure">1</p>'}


ORDERS = st.lists(st.sampled_from("abcdefghij"), unique=True)


@given(ORDERS, ORDERS)
def test_the_moves_lead_from_one_order_to_the_other(before: list[str], after: list[str]) -> None:
    seen = [id_ for id_ in before if id_ in after]
    for id_, behind in moves(before, after):
        if id_ in seen:
            seen.remove(id_)
        seen.insert(0 if behind is None else seen.index(behind) + 1, id_)
    assert seen == after


def test_what_stays_in_order_is_not_moved() -> None:
    assert len(moves("abcdefghij", "bcdefghija")) == 1
    assert len(moves("abcdefghij", "acbdefghij")) == 1
    assert moves("abc", "abc") == []
