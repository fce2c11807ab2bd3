"""The page of one pull request: how it stands, its story, and what may be asked of its watch."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, time, timedelta
from uuid import uuid4

from bot.dashboard import pull_words
from bot.dashboard.board_rows import Row, row_of
from bot.dashboard.pages import Act, Asked, Done, NotThere, Pages, Refused, View
from durable import WorkflowNotFound
from durable.client import Client
from durable.errors import Undecodable
from durable.postgres import Database
from handlers.asks import REMIND, SNOOZE, WAKE, Ask
from handlers.records import pull_requests
from handlers.records.pull_requests import Watched
from handlers.watch_state import Watch

PATH = "/pulls/{host}/{owner}/{repo}/{number}"
_MORNING = time(9)
SNOOZES = {"1h": "for 1 hour", "4h": "for 4 hours", "tomorrow": "until tomorrow, 09:00 UTC"}
_LONGEST_PRESS = 80


def add(pages: Pages, database: Database, client: Client) -> None:
    """Add the page and its buttons."""
    pull = _Pull(database, client)
    pages.view(PATH, pull.view)
    pages.act(f"{PATH}/remind", Act("remind", pull.remind, pull.subject))
    pages.act(f"{PATH}/snooze", Act("snooze", pull.snooze, pull.subject, ("until",)))
    pages.act(f"{PATH}/wake", Act("wake", pull.wake, pull.subject))


class _Pull:
    """Finds the watch that a path names, shows it, and asks things of it."""

    def __init__(self, database: Database, client: Client) -> None:
        self._database = database
        self._client = client

    def view(self, asked: Asked) -> View:
        """The page."""
        known = self._known(asked)
        row = self._row(known)
        state = self._state(known)
        logins = {guest.user_id: guest.login for guest in state.people if guest.user_id} if state else {}
        log = state.log if state else ()
        if log and log[-1].kind == "timer" and row.next_reminder_at:
            log = log[:-1]  # it stands above the story, and counts down there
        story = [pull_words.said(happening, logins) for happening in log]
        return View(
            "pull.html",
            {
                "row": row,
                "state": state,
                "story": story[::-1],
                "snoozer": pull_words.asker(row.snoozed_by, logins),
                "is_watching": _why_not(row) is None,
                "press": f"{row.reminders_sent} {row.next_reminder_at and row.next_reminder_at.isoformat()}",
                "snoozes": SNOOZES,
            },
        )

    def subject(self, asked: Asked) -> str:
        """The workflow that is asked, for the audit."""
        return self._known(asked).workflow_id

    def remind(self, asked: Asked) -> Done:
        """A reminder now. However often the button of one page is pressed, it is one."""
        press = asked.text("press")[:_LONGEST_PRESS] or uuid4().hex
        if self._ask(asked, REMIND, press):
            return Done("A reminder was asked for: it is posted in a moment.")
        return Done("This reminder was asked for already.")

    def snooze(self, asked: Asked) -> Done:
        """Quiet for a while."""
        until = _until(asked.text("until"), asked.now)
        self._ask(asked, SNOOZE, uuid4().hex, until)
        return Done(f"Nobody is reminded until {until:%Y-%m-%d %H:%M} UTC.")

    def wake(self, asked: Asked) -> Done:
        """No quiet any longer."""
        self._ask(asked, WAKE, uuid4().hex)
        return Done("The quiet has ended: reminders come as before.")

    def _ask(self, asked: Asked, what: str, press: str, until: datetime | None = None) -> bool:
        """Send the signal, once for each `press`; whether it is new. Raises `Refused` when nobody would hear it."""
        known = self._known(asked)
        refusal = _why_not(self._row(known))
        if refusal is not None:
            raise Refused(refusal)
        ask = Ask(asked.visitor.name, until)
        return self._client.signal(known.workflow_id, what, ask, key=f"{what}/{press}")

    def _known(self, asked: Asked) -> Watched:
        """The pull request of this path, by what it is called now, or was called when its watch began."""
        host, owner, repo, number = (asked.parameters[name] for name in ("host", "owner", "repo", "number"))
        if number.isascii() and number.isdigit():
            with self._database.reading() as connection:
                named = pull_requests.find(connection, owner, repo, int(number), host=host)
                known = named or pull_requests.find_by_id(connection, f"pr:{host}:{owner}:{repo}:{number}".lower())
            if known is not None:
                return known
        raise NotThere(f"No pull request {owner}/{repo}#{number} of {host} is or was watched.")

    def _row(self, known: Watched) -> Row:
        return row_of(known, self._client.describe_all([known.workflow_id]).get(known.workflow_id))

    def _state(self, known: Watched) -> Watch | None:
        """What the watch carries; None when it was forgotten, or written by a release that this one cannot read."""
        with suppress(WorkflowNotFound, Undecodable):
            args, _ = self._client.input(known.workflow_id)
            if args and isinstance(args[0], Watch):
                return args[0]
        return None


def _why_not(row: Row) -> str | None:
    """Why nothing can be asked of the watch now; None: it can."""
    if row.trouble:
        return f"The watch stands still, so nothing was asked of it: {row.trouble}."
    if row.standing == "ended":
        return "It is no longer watched."
    if row.standing in ("draft", "moving"):
        return f"Nobody is reminded of it now ({row.state}), so there is nothing to ask for."
    return None


def _until(choice: str, now: datetime) -> datetime:
    """The end of a quiet that somebody chose. Raises `Refused`."""
    lengths: dict[str, Callable[[], datetime]] = {
        "1h": lambda: now + timedelta(hours=1),
        "4h": lambda: now + timedelta(hours=4),
        "tomorrow": lambda: datetime.combine(now.date() + timedelta(days=1), _MORNING, now.tzinfo),
    }
    if choice not in lengths:
        raise Refused(f"A snooze is one of {', '.join(lengths)}.")
    return lengths[choice]()
