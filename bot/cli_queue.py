"""`queue`: the limits of queues."""

from dataclasses import asdict

import click

from bot.cli import CommandFailed, Surroundings, examples
from bot.cli_noted import noted
from bot.cli_opened import opened
from bot.cli_output import AS_JSON, as_json_text, table
from durable.queues import Queues

_HEAD = ("QUEUE", "RUNNING", "MOST", "PER WORKER", "RATE", "BURST")


@click.group(epilog=examples("python -m bot queue list", "python -m bot queue limit slack --rate 1 --burst 5"))
def queue() -> None:
    """Look at queues, and limit how much runs from each: at one time and in a second over all workers, and at one time
    on each worker.
    """


@queue.command("list", epilog=examples("python -m bot queue list", "python -m bot queue list --json"))
@AS_JSON
@click.pass_obj
def list_queues(surroundings: Surroundings, *, as_json: bool) -> None:
    """List the queues that have a limit or run something now."""
    with opened(surroundings) as database:
        found = Queues(database).list()
    rows = [
        (
            each.name,
            str(each.running),
            _shown(each.most_running),
            _shown(each.most_per_worker),
            _shown(each.rate),
            _shown(each.burst),
        )
        for each in found
    ]
    told = as_json_text([asdict(each) for each in found]) if as_json else table(_HEAD, rows, empty="no queues")
    click.echo(told)


@queue.command(
    epilog=examples(
        "python -m bot queue limit slack --most-running 6 --per-worker 2", "… limit slack --rate 0.8 --burst 5"
    )
)
@click.argument("name")
@click.option("--most-running", type=click.IntRange(1), help="At most so many workflows at one time.")
@click.option("--per-worker", type=click.IntRange(1), help="At most so many of them on each worker.")
@click.option("--rate", type=click.FloatRange(0, min_open=True), help="At most so many claims a second.")
@click.option("--burst", default=1, show_default=True, type=click.IntRange(1), help="So many claims at once.")
@click.pass_obj
def limit(
    surroundings: Surroundings,
    name: str,
    *,
    most_running: int | None,
    per_worker: int | None,
    rate: float | None,
    burst: int,
) -> None:
    """Limit a queue, in place of the limit it has. Takes effect within a second."""
    with opened(surroundings) as database, noted(database):
        Queues(database).limit(name, most_running=most_running, most_per_worker=per_worker, rate=rate, burst=burst)
    click.echo(f"{name} is limited")


@queue.command(epilog=examples("python -m bot queue unlimited slack"))
@click.argument("name")
@click.pass_obj
def unlimited(surroundings: Surroundings, name: str) -> None:
    """Lift a queue's limit."""
    with opened(surroundings) as database, noted(database):
        if not Queues(database).unlimited(name):
            raise CommandFailed(f"queue {name} has no limit; see `python -m bot queue list`")
    click.echo(f"{name} is unlimited")


COMMANDS = {"queue": queue}


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"
