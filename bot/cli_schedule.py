"""`schedule`: what recurs."""

from dataclasses import asdict

import click

from bot.cli import CommandFailed, Surroundings, examples
from bot.cli_noted import noted
from bot.cli_opened import opened
from bot.cli_output import AS_JSON, WATCH, as_json_text, moment, show, table
from durable.scheduler import Schedules

_HEAD = ("SCHEDULE", "WORKFLOW", "STATE", "NEXT (UTC)")


@click.group(epilog=examples("python -m bot schedule list", "python -m bot schedule trigger flow:example.ETL"))
def schedule() -> None:
    """Look at schedules, stop them, and run them now. Those of flows are named flow:PROJECT.NAME."""


@schedule.command("list", epilog=examples("python -m bot schedule list", "python -m bot schedule list --json"))
@AS_JSON
@WATCH
@click.pass_obj
def list_schedules(surroundings: Surroundings, *, as_json: bool, watch: bool) -> None:
    """List schedules with their next times."""
    with opened(surroundings) as database:
        schedules = Schedules(database)

        def draw() -> str:
            found = schedules.list()
            if as_json:
                return as_json_text([asdict(each) for each in found])
            rows = [
                (
                    each.name,
                    each.workflow,
                    "paused" if each.paused else "on",
                    ", ".join(map(moment, each.next[:2])) or "-",
                )
                for each in found
            ]
            return table(_HEAD, rows, empty="no schedules")

        show(draw, watch=watch)


@schedule.command(epilog=examples("python -m bot schedule pause flow:example.ETL"))
@click.argument("name")
@click.pass_obj
def pause(surroundings: Surroundings, name: str) -> None:
    """Let nothing begin by a schedule until `schedule resume`."""
    with opened(surroundings) as database, noted(database):
        if not Schedules(database).pause(name):
            raise CommandFailed(f"schedule {name} is paused already")
    click.echo(f"{name} is paused")


@schedule.command(epilog=examples("python -m bot schedule resume flow:example.ETL"))
@click.argument("name")
@click.pass_obj
def resume(surroundings: Surroundings, name: str) -> None:
    """Let a paused schedule go on from now; what was due meanwhile is left out."""
    with opened(surroundings) as database, noted(database):
        if not Schedules(database).resume(name):
            raise CommandFailed(f"schedule {name} is not paused")
    click.echo(f"{name} goes on")


@schedule.command(epilog=examples("python -m bot schedule trigger flow:example.ETL"))
@click.argument("name")
@click.pass_obj
def trigger(surroundings: Surroundings, name: str) -> None:
    """Run a schedule's workflow now, beside its regular times."""
    with opened(surroundings) as database, noted(database):
        workflow_id = Schedules(database).trigger(name)
    click.echo(f"{workflow_id} is started")


@schedule.command(epilog=examples("python -m bot schedule delete flow:example.ETL"))
@click.argument("name")
@click.pass_obj
def delete(surroundings: Surroundings, name: str) -> None:
    """Forget a schedule whose program is gone; what it started goes on. A flow that is still there puts it again at the
    next start."""
    with opened(surroundings) as database, noted(database):
        Schedules(database).delete(name)
    click.echo(f"{name} is forgotten")


COMMANDS = {"schedule": schedule}
