"""`status`: the engine at a glance."""

from dataclasses import asdict

import click

from bot.cli import Surroundings, examples
from bot.cli_opened import opened
from bot.cli_output import AS_JSON, WATCH, as_json_text, moment, show, table
from durable.client import Client

_WORKERS = ("WORKER", "HOST", "PID", "STATE", "RUNNING", "SINCE")
_GATES = ("GATE", "PARKED", "SINCE", "REASON")


@click.command(epilog=examples("python -m bot status", "python -m bot status --watch", "python -m bot status --json"))
@AS_JSON
@WATCH
@click.pass_obj
def status(surroundings: Surroundings, *, as_json: bool, watch: bool) -> None:
    """Workflows by state, what is due, workers and closed gates."""
    with opened(surroundings) as database:
        client = Client(database)
        show(lambda: _drawn(client, as_json=as_json), watch=watch)


COMMANDS = {"status": status}


def _drawn(client: Client, *, as_json: bool) -> str:
    overview, workers, gates = client.overview(), client.workers(), client.gates()
    if as_json:
        return as_json_text(
            {
                **asdict(overview),
                "workers": [asdict(each) for each in workers],
                "gates": [asdict(each) for each in gates],
            }
        )
    counts = ", ".join(f"{many} {state}" for state, many in sorted(overview.counts.items())) or "none"
    lines = [
        f"workflows: {counts}",
        f"due: {overview.due}, the oldest for {overview.lag_seconds:.1f} s",
        f"deliveries: {overview.undispatched} waiting, {overview.failed_deliveries} failed",
    ]
    workers_shown = [
        (
            str(each.id),
            each.host.partition(":")[0],
            str(each.pid),
            "alive" if each.alive else "silent",
            str(each.running),
            moment(each.started_at),
        )
        for each in workers
    ]
    gates_shown = [(each.name, str(each.parked), moment(each.since), each.reason) for each in gates]
    return "\n".join(
        [
            *lines,
            "",
            table(_WORKERS, workers_shown, empty="no workers"),
            "",
            table(_GATES, gates_shown, empty="all gates are open"),
        ]
    )
