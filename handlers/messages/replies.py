"""What `/vigil …` answers, and what it says when it cannot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from handlers.messages.text import Block, code, context, escaped, facts, link, packed, section
from handlers.reminders import humane
from integrations.slack.api import Reply

HELP = """*Vigil watches pull requests.*
`/vigil status [PR]`: what happens next with a pull request
`/vigil list`: the pull requests that are watched
`/vigil remind [PR]`: remind whoever's move it is, now
`/vigil snooze [PR] DURATION`: remind nobody for so long, e.g. `4h` or `2d`, at most 7 days
`/vigil wake [PR]`: end a snooze
`/vigil admin status`: how Vigil is doing (admins)
`/vigil help`: this
In a pull request's channel `[PR]` may be left out; elsewhere it is `owner/repo#number`, `owner/repo/number` or the \
pull request's address."""

LIST_BUDGET = 10_000  # characters
TROUBLE_BUDGET = 4_000  # characters, for each kind of trouble

_PHASES = {
    "opening": "its channel is being opened",
    "furnishing": "its channel is being opened",
    "waiting": "waits until it is ready for review",
    "watching": "is watched",
    "paused": "is a draft; nobody is reminded",
    "closing": "is over; its channel is about to be archived",
    "ended": "is no longer watched",
}


@dataclass(frozen=True)
class WatchView:
    """A watch as people are shown it: what `handlers.watch_state.shown` recorded, read back without trust in it.
    `trouble` is the engine's reason when the watch stands still (parked, paused, failed), else None."""

    reference: str
    title: str = ""
    url: str = ""
    phase: str = ""
    channel_id: str | None = None
    turn: str = ""
    waiting_since: datetime | None = None
    reminders_sent: int = 0
    next_reminder_at: datetime | None = None
    outcome: str | None = None
    trouble: str | None = None
    notes: tuple[str, ...] = ()
    workflow_id: str = ""
    snoozed_until: datetime | None = None


@dataclass(frozen=True)
class ClosedGate:
    """A dependency that refuses us, why, and how many watches wait for it to be mended."""

    name: str
    reason: str
    parked: int


@dataclass(frozen=True)
class Health:
    """How the bot is doing. `counts` are workflows by state; `ended_early` are watches of what nobody merged or closed;
    `stuck` are those that an operator has to look at."""

    counts: Mapping[str, int]
    workers_alive: int
    workers_lost: int
    lag_seconds: float
    undispatched: int = 0
    failed_deliveries: int = 0
    gates: tuple[ClosedGate, ...] = ()
    ended_early: tuple[WatchView, ...] = ()
    stuck: tuple[WatchView, ...] = ()


def help_text(unknown: str = "") -> Reply:
    """What there is; with the words nobody understood, if there were any."""
    before = f"{code(unknown)} is nothing Vigil understands.\n\n" if unknown else ""
    return _reply("What Vigil understands", [section(before + HELP)])


def status(view: WatchView, now: datetime) -> Reply:
    """Where one pull request stands and what happens next."""
    pairs = {"Pull request": _linked(view), "State": _phase(view)}
    if view.channel_id:
        pairs["Channel"] = f"<#{escaped(view.channel_id, 50)}>"
    if view.phase in {"watching", "paused"}:
        if view.turn:
            pairs["Whose move"] = escaped(view.turn, 500)
        if view.waiting_since:
            pairs["Waiting for"] = humane(now - view.waiting_since)
        pairs["Reminders sent"] = str(view.reminders_sent)
        if view.next_reminder_at and view.phase == "watching":
            snoozed = " (snoozed)" if view.snoozed_until else ""
            pairs["Next reminder"] = _in(view.next_reminder_at, now) + snoozed
    blocks = [section(f"*{escaped(view.title or view.reference, 500)}*"), facts(pairs)]
    remarks = [*([view.trouble] if view.trouble else []), *view.notes]
    if remarks:
        blocks.append(context("\n".join(escaped(remark, 300) for remark in remarks[:5])))
    return _reply(f"{escaped(view.reference, 300)}: {_phase(view)}", blocks)


def listing(views: Sequence[WatchView], now: datetime) -> Reply:
    """The pull requests that are watched, one a line."""
    if not views:
        return _reply("Nothing is watched", [section("No pull request is watched right now.")])
    lines = [_line(view, now) for view in views]
    count = f"{len(views)} pull request" + ("" if len(views) == 1 else "s")
    return _reply(f"{count} watched", [section(f"*{count} watched*"), *map(section, packed(lines, LIST_BUDGET))])


def health(report: Health) -> Reply:
    """`admin status`: counts, workers, lag, closed gates, and what ended early with its reason."""
    counts = ", ".join(f"{number} {escaped(state, 50)}" for state, number in sorted(report.counts.items()) if number)
    workers = f"{report.workers_alive} alive" + (f", {report.workers_lost} lost" if report.workers_lost else "")
    pairs = {"Workflows": counts or "none", "Workers": workers, "Lag": f"{report.lag_seconds:.1f} s"}
    if report.undispatched or report.failed_deliveries:
        pairs["Deliveries"] = f"{report.undispatched} waiting, {report.failed_deliveries} failed"
    blocks = [section("*How Vigil is doing*"), facts(pairs)]
    if not report.workers_alive:
        blocks.append(section("*No worker is alive:* nothing happens until one is started."))
    blocks += [section(_gate(gate)) for gate in report.gates[:5]]
    stuck = [f"• {_linked(view)}: {escaped(view.trouble or 'unknown', 200)}" for view in report.stuck]
    early = [f"• {_linked(view)}: {escaped(view.outcome or 'unknown', 200)}" for view in report.ended_early]
    for title, lines in (("*Standing still until somebody looks*", stuck), ("*Ended early*", early)):
        if lines:
            blocks += map(section, packed([title, *lines], TROUBLE_BUDGET))
    return _reply("How Vigil is doing", blocks)


def reminding(view: WatchView) -> Reply:
    """A reminder was asked for."""
    return _reply("Reminding", [section(f"{_linked(view)}: the reminder is posted in a moment.")])


def snoozed(view: WatchView, length: timedelta, until: datetime) -> Reply:
    """Nobody is reminded for a while."""
    moment = f"until {until:%Y-%m-%d %H:%M} UTC, or until somebody says `/vigil wake`"
    return _reply("Snoozed", [section(f"{_linked(view)}: nobody is reminded for {humane(length)}, {moment}.")])


def awake(view: WatchView) -> Reply:
    """A snooze was ended."""
    return _reply("Awake", [section(f"{_linked(view)}: reminders come as before.")])


def nothing_to_ask(view: WatchView) -> Reply:
    """Nobody is reminded of this one now, so there is nothing to ask for."""
    text = f"{_linked(view)} {_phase(view)}, so nothing was changed."
    return _reply("Nothing was changed", [section(text + (f" {escaped(view.trouble, 300)}" if view.trouble else ""))])


def how_long(text: str = "") -> Reply:
    """We were not told for how long to be quiet, or in words we cannot read."""
    problem = f"{code(text)} is no length of time from now. " if text else ""
    remedy = "Say for how long: `/vigil snooze [PR] DURATION`, e.g. `30m`, `4h` or `2d`, at most 7 days."
    return _reply("For how long?", [section(problem + remedy)])


def not_watched(reference: str) -> Reply:
    """Nobody watches this one."""
    return _reply("Not watched", [section(f"{code(reference)} is not watched.")])


def which_one(text: str = "") -> Reply:
    """We were not told which pull request, or in words we cannot read."""
    problem = f"{code(text)} names no pull request. " if text else "This is no pull request's channel. "
    remedy = "Say which one: `owner/repo#number`, `owner/repo/number` or its address."
    return _reply("Which pull request?", [section(problem + remedy)])


def admins_only() -> Reply:
    """For a command that needs a role the asker has not."""
    return _reply(
        "Not allowed",
        [
            section(
                "`/vigil admin` is for those listed as admins in Vigil's policy; with none listed, workspace admins."
            )
        ],
    )


def admin_unknown(reason: str) -> Reply:
    """Slack does not tell us whether somebody is an admin, perhaps because it refuses our token."""
    text = (
        f"Slack does not say whether you are an admin: {escaped(reason, 300)}. Should it refuse Vigil's token, mend that "
        "and everything resumes; `python -m bot doctor` and `/readyz` say more."
    )
    return _reply("Slack does not answer", [section(text)])


def unavailable() -> Reply:
    """The database did not answer in time; nothing was changed."""
    return _reply("Not available", [section("Vigil cannot reach its database right now. Nothing was lost: try again.")])


def _reply(text: str, blocks: Sequence[Block]) -> Reply:
    return Reply(text, tuple(blocks))


def _linked(view: WatchView) -> str:
    return link(view.url, escaped(view.reference, 300)) if view.url else escaped(view.reference, 300)


def _phase(view: WatchView) -> str:
    if view.outcome:
        return f"ended: {escaped(view.outcome, 200)}"
    return _PHASES.get(view.phase, "has just begun")


def _line(view: WatchView, now: datetime) -> str:
    channel = f" in <#{escaped(view.channel_id, 50)}>" if view.channel_id else ""
    due = ""
    if view.phase == "watching" and view.next_reminder_at:
        due = f", next reminder {_in(view.next_reminder_at, now)}"
    trouble = f". {escaped(view.trouble, 200)}" if view.trouble else ""
    return f"• {_linked(view)} {escaped(view.title, 150)}{channel}: {_phase(view)}{due}{trouble}"


def _in(moment: datetime, now: datetime) -> str:
    return f"in {humane(moment - now)}" if moment > now else "now"


def _gate(gate: ClosedGate) -> str:
    """Why everything stands still, and that it goes on by itself."""
    held = f"{gate.parked} workflow" + (" waits" if gate.parked == 1 else "s wait")
    who = {"slack": "Slack", "github": "GitHub"}.get(gate.name, escaped(gate.name, 50))
    return f"*{who} token refused:* {escaped(gate.reason, 300)} ({held}). Mend it and everything resumes."
