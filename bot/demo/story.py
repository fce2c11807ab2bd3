"""The story the demo tells, step by step: what people do on GitHub, and what becomes of the bot meanwhile."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Event
from typing import Literal, get_args

from bot.demo.claims import Claims, clock
from bot.demo.github_world import PullRequest
from bot.demo.ledger import Watched
from bot.demo.stage import Stage

Break = Literal["no-delivery", "no-bot-restart", "no-merge"]
BREAKS: tuple[str, ...] = get_args(Break)

_KILLED_AFTER, _DOWN_FOR = 1.0, 1.5


class Interrupted(Exception):
    """Somebody wants the demo to end now."""


@dataclass
class Story:
    """Plays on a stage. `broken` leaves one step out on purpose; `ends_all` closes every pull request at the end.
    Setting `interrupted` ends it at its next pause. `at_the_height` is called when the bot has survived its kill."""

    stage: Stage
    broken: Break | None = None
    ends_all: bool = True
    interrupted: Event = field(default_factory=Event)
    at_the_height: Callable[[], None] = lambda: None

    def play(self) -> None:
        """From the first start of the bot to the last archive."""
        claims = Claims(self.stage)
        self._start_bot()
        api, web, vault = self._open_pull_requests()
        claims.deliveries_answered(6)
        claims.channel_opened(api, {"octocat", "ada"}, private=False)
        claims.channel_opened(web, {"grace", "margaret"}, private=False)
        claims.channel_opened(vault, {"margaret", "ada"}, private=True)
        claims.pings_nobody(web, "<!channel>")
        self._request_changes(web)
        self._kill_in_the_middle(api, claims)
        claims.reminder(web, 1, of="grace", not_of="margaret")
        claims.one_reminder_stands(api)
        self.at_the_height()
        self._merge(api)
        claims.over(api)
        if self.ends_all:
            self._close(web)
            self._close(vault)
            claims.over(web)
            claims.over(vault)
        claims.nothing_happened_twice()

    def _start_bot(self) -> None:
        self._tell("The bot starts in an empty home, where it makes its own PostgreSQL")
        self.stage.bot.start().wait_until_ready()
        self._bot(f"is ready: process {self.stage.bot.pid}")

    def _open_pull_requests(self) -> tuple[PullRequest, PullRequest, PullRequest]:
        if self.broken == "no-delivery":
            self.stage.stand_ins.reset()  # without hooks
        self._tell("Three pull requests are opened on GitHub")
        return (
            self._open("Answer HTTP/2 at the edge", "acme/api", "octocat", "ada"),
            self._open("Dark mode, <!channel> & all", "acme/web", "grace", "margaret"),
            self._open("Rotate the keys", "acme/vault", "margaret", "ada"),
        )

    def _open(self, title: str, repository: str, author: str, reviewer: str) -> PullRequest:
        opened_at = datetime.now(UTC)
        pull_request = self.stage.github.open_pull_request(
            title, repository=repository, author=author, reviewers=[reviewer]
        )
        reference = str(pull_request)
        self.stage.ledger.watched[reference] = Watched(reference, title, opened_at)
        self._github(f"{author} opened {reference} and asked {reviewer} for a review: {title}")
        return pull_request

    def _request_changes(self, web: PullRequest) -> None:
        web.review("margaret", "REQUEST_CHANGES", "Please keep the light mode.")
        self._github(f"margaret requested changes on {web}: now it is grace's move")

    def _kill_in_the_middle(self, api: PullRequest, claims: Claims) -> None:
        """SIGKILL while a timer runs; it must fire at the time it was set for before."""
        first = claims.reminder(api, 1, of="ada", not_of="octocat")
        if first is None:
            return
        opened = self.stage.ledger.watched[str(api)].opened_at.timestamp()
        claims.fired_on_time("the first reminder comes one interval after the opening", first, opened + self._interval)
        due = first.seen_at.timestamp() + self._interval
        self._wait(_KILLED_AFTER)
        self.stage.bot.kill()
        self._bot(f"SIGKILL! The timer of {api} is set for {clock(due)}, in {due - time.time():.1f} s")
        self._wait(_DOWN_FOR)
        if self.broken != "no-bot-restart":
            due = max(due, self._return(due))
        second = claims.reminder(api, 2, of="ada", not_of="octocat")
        if second is not None:
            claims.fired_on_time("after the kill the timer fires at the time it was set for", second, due)

    def _return(self, due: float) -> float:
        """Start the bot again; returns when it was ready. On a very slow machine that is after the timer was due,
        and then the reminder is to come at once."""
        self._bot("is started again on the same home")
        self.stage.bot.start().wait_until_ready()
        left = due - time.time()
        when = f"{left:.1f} s before the timer" if left > 0 else f"{-left:.1f} s after the timer was due"
        self._bot(f"is back: process {self.stage.bot.pid}, {when}")
        return time.time()

    def _merge(self, api: PullRequest) -> None:
        if self.broken != "no-merge":
            api.merge()
        self.stage.ledger.watched[str(api)].over = "merged"
        self._github(f"{api} is merged")

    def _close(self, pull_request: PullRequest) -> None:
        pull_request.close()
        self.stage.ledger.watched[str(pull_request)].over = "closed"
        self._github(f"{pull_request} is closed")

    @property
    def _interval(self) -> float:
        return self.stage.interval

    def _wait(self, seconds: float) -> None:
        if self.interrupted.wait(seconds):
            raise Interrupted

    def _tell(self, text: str) -> None:
        self.stage.ledger.add("story", text)

    def _github(self, text: str) -> None:
        self.stage.ledger.add("github", text)

    def _bot(self, text: str) -> None:
        self.stage.ledger.add("bot", text)
