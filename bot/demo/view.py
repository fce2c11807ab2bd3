"""How the demo looks in a terminal: pure functions from the ledger to what rich draws."""

from datetime import datetime

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from bot.demo.ledger import Happening, Kind, Ledger, Watched

_MARKS: dict[Kind, tuple[str, str]] = {
    "github": ("GitHub", "cyan"),
    "slack": ("Slack", "magenta"),
    "reminder": ("Slack", "bold yellow"),
    "bot": ("bot", "bold white"),
    "trouble": ("!", "bold red"),
    "story": ("", "bold blue"),
    "check": ("✓", "green"),
    "failed": ("✗", "bold red"),
}


def line(happening: Happening) -> Text:
    """One happening as one line: when, who, what."""
    mark, style = _MARKS[happening.kind]
    at = happening.at.astimezone().strftime("%H:%M:%S")
    if happening.kind == "bot" and "SIGKILL" in happening.text:
        style = "bold red"
    return Text.assemble((f"{at}  ", "dim"), (f"{mark:>6}  ", style), (happening.text, style))


def verdict(ledger: Ledger) -> Text:
    """The last line: how many claims held."""
    held = sum(holds for _, holds in ledger.checks)
    if ledger.all_hold:
        return Text(f"All {held} checks hold.", style="bold green")
    return Text(f"{len(ledger.checks) - held} of {len(ledger.checks)} checks do not hold.", style="bold red")


def links(inspector: str, bot: str) -> Text:
    """Where to look with a browser."""
    return Text.assemble(
        "Slack ", (inspector, f"underline link {inspector}"), "   Vigil ", (bot, f"underline link {bot}")
    )


def screen(ledger: Ledger, *, now: datetime, interval: float, where: Text, alive: int | None, lines: int) -> Group:
    """The whole picture at `now`: pull requests, the latest happenings, the bot, the links."""
    return Group(
        _heading(alive),
        _pull_requests(ledger, now, interval),
        Rule(style="dim"),
        *_latest(ledger, lines),
        Rule(style="dim"),
        Padding(where, (0, 1)),
    )


def _heading(alive: int | None) -> Panel:
    state = Text(f"● running, process {alive}", "green") if alive else Text("✖ not running", "bold red")
    grid = Table.grid(expand=True)
    grid.add_column()
    grid.add_column(justify="right")
    grid.add_row(Text("Vigil keeps watch over pull requests", "bold"), state)
    return Panel(grid, border_style="blue")


def _pull_requests(ledger: Ledger, now: datetime, interval: float) -> Table:
    table = Table(expand=True, box=None, padding=(0, 1), header_style="dim")
    table.add_column("Pull request", ratio=3)
    table.add_column("Slack channel", ratio=4, overflow="ellipsis", no_wrap=True)
    table.add_column("Last reminder", ratio=3)
    table.add_column("Next one", ratio=3)
    for watched in list(ledger.watched.values()):
        table.add_row(Text(watched.reference, "cyan"), _channel(watched), _last(watched), _next(watched, now, interval))
    return table


def _channel(watched: Watched) -> Text:
    if not watched.channel:
        return Text("…", "dim")
    lock = "private " if watched.private else "#"
    return Text(f"{lock}{watched.channel}", "dim" if watched.archived else "magenta")


def _last(watched: Watched) -> Text:
    if not watched.reminders:
        return Text("none yet", "dim")
    last = watched.reminders[-1]
    return Text(f"{last.number} → {', '.join(last.names) or 'nobody'}", "yellow")


def _next(watched: Watched, now: datetime, interval: float) -> RenderableType:
    if watched.archived:
        return Text(f"{watched.over}, archived", "green")
    if watched.over:
        return Text(watched.over, "green")
    if not watched.channel:
        return Text("")
    left = max(0.0, watched.next_due(interval) - now.timestamp())
    row = Table.grid(padding=(0, 1))
    row.add_row(Text(f"in {left:3.0f} s"), ProgressBar(total=interval, completed=interval - left, width=12))
    return row


def _latest(ledger: Ledger, lines: int) -> list[Text]:
    shown = [line(happening) for happening in ledger.happenings[-lines:]]
    for text in shown:
        text.no_wrap, text.overflow = True, "ellipsis"
    return shown + [Text("")] * (lines - len(shown))
