"""`python -m bot.demo`: the main job on stand-ins for GitHub and Slack, with a kill in the middle, for people to watch."""

import re
import signal
import sys
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import cast

import click
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from bot.demo import view
from bot.demo.ledger import Ledger
from bot.demo.stage import Stage, set_up
from bot.demo.story import BREAKS, Break, Story

_FRAMES_PER_SECOND = 8
_PICTURE_LINES, _PICTURE_WIDTH = 40, 118


@click.command()
@click.option("--once", is_flag=True, help="Play the story unattended, check each step, and end.")
@click.option("--break", "broken", type=click.Choice(BREAKS), help="Leave one step out, to see the checks fail.")
@click.option("--svg", type=click.Path(dir_okay=False, path_type=Path), help="Draw the screen after the return as SVG.")
def main(once: bool, broken: str | None, svg: Path | None) -> None:
    """Watch Vigil at work: pull requests, channels, reminders, a SIGKILL and the return."""
    console = Console()
    ledger = Ledger((lambda happening: console.print(view.line(happening), soft_wrap=True)) if once else None)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends it as Ctrl-C does: in an orderly way
    with set_up(ledger) as stage:
        story = Story(stage, cast("Break | None", broken), ends_all=once)
        if svg:
            story.at_the_height = partial(_draw, stage, svg)
        console.print(_links(stage))
        if once:
            _play(story)
        else:
            _play_and_show(story, console)
    if once:
        console.print(view.verdict(ledger))
        sys.exit(0 if ledger.all_hold else 1)


def _play(story: Story) -> None:
    """Play to the end. What stops the story counts as a claim that does not hold."""
    try:
        story.play()
    except Exception as error:  # noqa: BLE001 - the outermost boundary of the story: whatever it was is shown
        if not story.interrupted.is_set():
            story.stage.ledger.checked("the story can be told to its end", holds=False, seen=f"{error!r}")


def _play_and_show(story: Story, console: Console) -> None:
    """Draw while the story plays, and go on until Ctrl-C."""
    thread = Thread(target=_play, args=(story,), name="story", daemon=True)
    thread.start()
    frame = Event()
    with Live(console=console, auto_refresh=False) as live, suppress(KeyboardInterrupt):
        while True:
            live.update(_screen(story.stage, max(8, console.height - 12)), refresh=True)
            frame.wait(1 / _FRAMES_PER_SECOND)
    story.interrupted.set()
    story.stage.bot.stop()
    thread.join(timeout=5)


def _screen(stage: Stage, lines: int) -> Group:
    return view.screen(
        stage.ledger,
        now=datetime.now(UTC),
        interval=stage.interval,
        where=_links(stage),
        alive=stage.bot.running_pid,
        lines=lines,
    )


def _links(stage: Stage) -> Text:
    return view.links(stage.slack.inspector, f"{stage.bot.url}/")


def _draw(stage: Stage, path: Path) -> None:
    with Path("/dev/null").open("w") as nowhere:
        console = Console(record=True, width=_PICTURE_WIDTH, file=nowhere, force_terminal=True)
        console.print(_screen(stage, min(_PICTURE_LINES, len(stage.ledger.happenings))))
    picture = console.export_svg(title="make demo")
    # The fonts would be fetched from somebody's server; whoever lacks them sees another monospaced one.
    path.write_text(re.sub(r"\s*@font-face \{.*?\}", "", picture, flags=re.DOTALL), encoding="utf-8")


if __name__ == "__main__":
    main()
