"""What the demo's screen says for a given ledger, at a given time."""

from datetime import UTC, datetime, timedelta

from rich.console import Console
from rich.text import Text

from bot.demo import view
from bot.demo.ledger import Ledger, Reminder, Watched

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def drawn(ledger: Ledger, *, alive: int | None = 42) -> str:
    console = Console(width=110, record=True, quiet=False, file=None, force_terminal=False)
    with console.capture() as captured:
        console.print(view.screen(ledger, now=NOW, interval=8, where=Text("links"), alive=alive, lines=3))
    return captured.get()


def watched(*, reminders: int = 0, archived: bool = False) -> Watched:
    return Watched(
        "acme/api#1",
        "Add a thing",
        NOW - timedelta(seconds=20),
        channel="pr-api-1-add-a-thing",
        archived=archived,
        over="merged" if archived else "",
        reminders=[Reminder(n, ("ada",), NOW - timedelta(seconds=3), "1.0") for n in range(1, reminders + 1)],
    )


def test_a_waiting_pull_request_shows_who_was_reminded_and_when_the_next_one_comes() -> None:
    ledger = Ledger()
    ledger.watched["acme/api#1"] = watched(reminders=2)
    picture = drawn(ledger)
    assert "#pr-api-1-add-a-thing" in picture
    assert "2 → ada" in picture
    assert "in   5 s" in picture
    assert "running, process 42" in picture


def test_what_is_over_counts_down_no_more() -> None:
    ledger = Ledger()
    ledger.watched["acme/api#1"] = watched(reminders=1, archived=True)
    assert "merged, archived" in drawn(ledger)


def test_a_dead_bot_is_seen() -> None:
    assert "not running" in drawn(Ledger(), alive=None)


def test_square_brackets_of_a_title_are_no_markup() -> None:
    ledger = Ledger()
    ledger.add("github", "opened: [red]fix[/red]")
    assert "[red]fix[/red]" in drawn(ledger)


def test_no_check_is_no_success() -> None:
    ledger = Ledger()
    assert not ledger.all_hold
    ledger.checked("one", holds=True)
    assert ledger.all_hold
    ledger.checked("two", holds=False, seen="nothing")
    assert not ledger.all_hold
    assert view.verdict(ledger).plain == "1 of 2 checks do not hold."
