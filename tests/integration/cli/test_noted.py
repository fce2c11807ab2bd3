"""What is done by the command line stands in the audit, with whose account on which machine did it."""

import re
from collections.abc import Callable
from inspect import unwrap
from pathlib import Path

import click
import pytest

from bot.cli import main, vigil
from bot.cli_noted import noted
from durable.postgres import Database
from handlers.records import acts
from handlers.records.acts import Act

MODULE = """
from durable import receive, workflow

@workflow
def patient(name):
    return receive("go").payload
"""
FLOW = "example.WAIT:\n  tasks: [A]\n  periodic: {interval: 3600}\n"
LOOKING = {"list", "show", "export", "replay", "check", "init"}
ACTED = Callable[[str], tuple[int, Act | None]]


@pytest.fixture
def acted(database_url: str, tmp_path: Path) -> ACTED:
    """Runs a command; its exit code, and what the audit says of it."""
    (tmp_path / "module.py").write_text(MODULE)
    environ = {"DATABASE_URL": database_url, "VIGIL_MODULES": str(tmp_path / "module.py"), "VIGIL_FLOWS": str(tmp_path)}
    before: set[int] = set()

    def run(line: str) -> tuple[int, Act | None]:
        code = main(line.split(), environ, Path("/nowhere/.env"))
        database = Database(database_url)
        with database.reading() as connection:
            new = [act for act in acts.latest(connection) if act.id not in before]
        database.close()
        before.update(act.id for act in new)
        assert len(new) <= 1
        return code, new[0] if new else None

    return run


def said(act: Act | None) -> tuple[str, str, str, str | None]:
    assert act is not None
    assert re.fullmatch(r"cli:\S+@\S+", act.actor)
    return act.act, act.subject, act.detail, act.outcome


def test_each_change_is_noted_with_what_it_was_done_to(acted: ACTED) -> None:
    _, act = acted('workflow run patient "secret" --id p:1')
    assert said(act) == ("run", "p:1", "name: patient", "done")
    _, act = acted('workflow signal p:1 other "secret"')
    assert said(act) == ("signal", "p:1", "name: other", "done")
    _, act = acted("workflow suspend p:1 --reason lunch")
    assert said(act) == ("suspend", "p:1", "reason: lunch", "done")
    _, act = acted("workflow resume p:1")
    assert said(act) == ("resume", "p:1", "", "done")
    _, act = acted("workflow terminate p:1 --reason late")
    assert said(act) == ("terminate", "p:1", "reason: late", "done")
    _, act = acted("workflow relaunch p:1")
    assert said(act) == ("relaunch", "p:1", "", "done")
    _, act = acted("workflow purge p:1 --yes")
    assert said(act) == ("purge", "p:1", "", "done")
    _, act = acted("workflow purge --older-than 30d --yes")
    assert said(act) == ("purge", "many", "older_than: 30 days, 0:00:00", "done")
    _, act = acted("queue limit slack --rate 2")
    assert said(act) == ("limit queue", "slack", "rate: 2.0, burst: 1", "done")
    _, act = acted("queue unlimited slack")
    assert said(act) == ("lift limit", "slack", "", "done")


def test_what_is_refused_is_noted_with_the_reason(acted: ACTED) -> None:
    code, act = acted("workflow terminate nobody --reason x")
    assert code == 1
    assert said(act)[:2] == ("terminate", "nobody")
    assert str(said(act)[3]).startswith("refused: ")
    assert str(said(acted("schedule pause nothing")[1])[3]).startswith("refused: ")


def test_looking_is_not_noted(acted: ACTED) -> None:
    for line in ("workflow list", "queue list", "schedule list", "status", "workflow purge --older-than 1d --dry-run"):
        assert acted(line) == (0, None)


def test_every_command_that_changes_something_is_noted() -> None:
    """Every verb of these groups but those that look: its module has to use `noted`."""
    context = vigil.make_context("python -m bot", ["serve"], resilient_parsing=True)
    for group_name in ("workflow", "flow", "schedule", "queue"):
        group = vigil.get_command(context, group_name)
        assert isinstance(group, click.Group)
        for name, command in group.commands.items():
            assert command.callback is not None
            is_noting = noted in unwrap(command.callback).__globals__.values() or name in LOOKING
            assert is_noting, f"{group_name} {name}"
