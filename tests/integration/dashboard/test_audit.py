"""The audit: everything that somebody did, the latest first."""

import re

from handlers.records import acts
from tests.integration.dashboard.conftest import House


def note(house: House, *subjects: str, detail: str = "", outcome: str | None = "done") -> None:
    with house.database.transaction("test") as connection:
        for subject in subjects:
            number = acts.note(connection, "ada", "suspend", subject, detail)
            if outcome is not None:
                acts.note_outcome(connection, number, outcome)


def subjects(page: str) -> list[str]:
    return re.findall(r'data-name="to" class="clip"><a [^>]*>([^<]*)</a>', page)


def test_nobody_sees_the_audit_without_signing_in(house: House) -> None:
    assert house.anonymous.get("/audit").status_code == 401


def test_before_anybody_did_anything_it_says_what_would_be_there(house: House) -> None:
    assert "Nobody has done anything yet" in house.page("/audit")


def test_the_latest_act_comes_first_with_who_did_it_and_how_it_went(house: House) -> None:
    note(house, "w:1")
    note(house, "w:2", detail="reason: maintenance", outcome="refused: it is over")
    note(house, "w:3", outcome=None)
    page = house.page("/audit")
    assert subjects(page) == ["w:3", "w:2", "w:1"]
    for word in ("ada", "suspend", "reason: maintenance", "refused: it is over", "never came to its end"):
        assert word in page


def test_acts_on_one_subject_are_found(house: House) -> None:
    note(house, "w:1", "w:2", "w:1", "a b&c")
    assert subjects(house.page("/audit?subject=w:1")) == ["w:1", "w:1"]
    assert subjects(house.page("/audit?subject=a+b%26c")) == ["a b&amp;c"]
    assert "Nothing is noted of nobody." in house.page("/audit?subject=nobody")
    assert len(subjects(house.page("/audit?subject=%00&before=x"))) == 4


def test_a_long_audit_is_turned_page_by_page(house: House) -> None:
    note(house, *(f"w:{number}" for number in range(120)), "other")
    address, seen = "/audit", list[str]()
    for expected in (50, 50, 21):
        page = house.page(address)
        assert len(subjects(page)) == expected
        seen += subjects(page)
        following = re.search(r'href="([^"]*)" rel="next"', page)
        address = following[1].replace("&amp;", "&") if following else ""
    assert seen == ["other", *(f"w:{number}" for number in reversed(range(120)))]
    assert address == ""
    assert "subject=w%3A7" in house.page("/audit?before=9")


def test_what_people_wrote_is_only_words_and_holds_no_secret(house: House) -> None:
    note(house, "<script>alert(1)</script>", detail="reason: xoxb-1-2-abc, token=abcdef <b>", outcome="refused: <i>")
    page = house.page("/audit")
    for bad in ("<script>alert", "<b>", "<i>", "xoxb-1", "abcdef"):
        assert bad not in page
