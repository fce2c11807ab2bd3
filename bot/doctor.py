"""What is wrong and what to do about it: read-only checks of everything the bot depends on."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.manifests import slack_scopes
from bot.schema import MIGRATIONS
from config.settings import Settings
from durable.client import Client
from durable.errors import SchemaMismatch, SchemaTooNew
from durable.postgres import Database
from durable.postgres.migrate import check_current
from handlers.records.schema import engine_time
from integrations.github import api as github_words
from integrations.github.api import GitHub
from integrations.slack import api as slack_words
from integrations.slack.api import Slack

_SKEW = 5.0  # seconds; Slack refuses signatures that are more than 300 s off
_LAG = 60.0
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Finding:
    """One line of the report. `remedy` is empty when all is well; a `note` is worth knowing and no fault."""

    what: str
    seen: str
    remedy: str = ""
    note: bool = False

    @property
    def ok(self) -> bool:
        """Whether nothing has to be done."""
        return not self.remedy or self.note

    def __str__(self) -> str:
        """`ok`, `note` or `FAULT`, what was looked at, what was seen, and the remedy."""
        mark = "note " if self.note else "ok   " if self.ok else "FAULT"
        return f"{mark} {self.what}: {self.seen}" + (f" -> {self.remedy}" if self.remedy else "")


def check_slack(slack: Slack) -> Iterator[Finding]:
    """Whether the token lives and may do what Vigil does."""
    try:
        identity = slack.identity()
    except slack_words.Unauthorized as problem:
        yield Finding("slack token", str(problem), "install the app again and set SLACK_BOT_TOKEN to its new bot token")
        return
    except slack_words.SlackError as problem:
        yield Finding("slack token", str(problem), "check SLACK_API_URL and the way to Slack, then ask again")
        return
    yield Finding("slack token", f"{identity.user_id} in {identity.team or identity.team_id}")
    if not identity.scopes:
        yield Finding(
            "slack scopes", "not told", "compare the app's scopes with `python -m bot manifest slack`", note=True
        )
        return
    missing = sorted(slack_scopes() - set(identity.scopes))
    if missing:
        yield Finding("slack scopes", f"missing {', '.join(missing)}", "add them to the app and install it again")
    else:
        yield Finding("slack scopes", "all there")


def check_github(github: GitHub) -> Iterator[Finding]:
    """Whether the token lives."""
    try:
        identity = github.identity()
    except (github_words.Unauthorized, github_words.Forbidden) as problem:
        yield Finding(
            "github token", str(problem), "set GITHUB_TOKEN, or GITHUB_APP_ID and its key, to one that is valid"
        )
    except github_words.GitHubError as problem:
        yield Finding("github token", str(problem), "check GITHUB_API_URL and the way to GitHub, then ask again")
    else:
        scopes = f", scopes {', '.join(identity.scopes)}" if identity.scopes else ""
        yield Finding("github token", f"{identity.login}{scopes}")


def check_hook(settings: Settings) -> Iterator[Finding]:
    """What can be said from inside about whether GitHub reaches us."""
    route = f"http://{settings.host}:{settings.port}/github/webhook"
    if settings.host in _LOOPBACK:
        remedy = "GitHub and Slack reach it only through a proxy or tunnel on this machine, or with HOST=0.0.0.0"
        yield Finding("hook", f"the bot listens at {route}", remedy, note=True)
    else:
        remedy = (
            "make sure that the hook's address leads there; its recent deliveries are listed in the hook's settings"
        )
        yield Finding("hook", f"the bot listens at {route}", remedy, note=True)


def check_database(database: Database, now: Callable[[], datetime]) -> Iterator[Finding]:
    """Schema, clock, queue, workers, gates. `now` is this machine's clock (aware)."""
    try:
        check_current(database, MIGRATIONS)
    except SchemaMismatch as problem:
        newer = isinstance(problem, SchemaTooNew)
        yield Finding("schema", str(problem), "run the newer release" if newer else "run `python -m bot db upgrade`")
        return
    yield Finding("schema", "current")
    before = now()
    with database.reading() as connection:
        skew = abs((engine_time(connection) - before).total_seconds())
    far = skew > _SKEW
    yield Finding("clock", f"{skew:.1f} s off the database's", "run a time service on both machines" if far else "")
    yield from _check_engine(Client(database))


def _check_engine(client: Client) -> Iterator[Finding]:
    overview, workers = client.overview(), client.workers()
    alive = sum(worker.alive for worker in workers)
    yield Finding("workers", f"{alive} alive", "" if alive else "run `python -m bot serve` or `python -m bot worker`")
    lag = f"{overview.due} due, the oldest for {overview.lag_seconds:.0f} s"
    remedy = "look at the workers' logs, or run more `python -m bot worker`"
    yield Finding("queue", lag, remedy if overview.lag_seconds > _LAG else "")
    failed = overview.failed_deliveries
    yield Finding(
        "deliveries", f"{failed} failed", "redeliver them at GitHub; the log says why each failed" if failed else ""
    )
    closed = client.gates()
    for gate in closed:
        seen = (
            f"{gate.name} closed since {gate.since:%Y-%m-%d %H:%M} UTC, {gate.parked} workflows parked ({gate.reason})"
        )
        yield Finding("gates", seen, f"mend what {gate.name} refuses, mostly its token; everything resumes by itself")
    if not closed:
        yield Finding("gates", "open")
    stuck = overview.counts.get("paused", 0) + overview.counts.get("failed", 0)
    remedy = "see `python -m bot workflow list --state paused --state failed`"
    yield Finding("workflows", f"{stuck} paused or failed", remedy if stuck else "")


def machine_clock() -> datetime:
    """This machine's time."""
    return datetime.now(UTC)
