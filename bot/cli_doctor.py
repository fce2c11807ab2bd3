"""`doctor`: every check, one line each, with a remedy for whatever is wrong."""

import json
import logging
from collections.abc import Iterator
from dataclasses import asdict

import click
from sqlalchemy.exc import SQLAlchemyError

from bot import logs
from bot.cli import Surroundings, examples
from bot.compose import connect_outside
from bot.database import DatabaseUnreachable, open_database
from bot.doctor import Finding, check_database, check_github, check_hook, check_slack, machine_clock
from bot.embedded import EmbeddedPostgres
from bot.postgres_place import EmbeddedPostgresError
from bot.redaction import Redactor
from config import policy, settings


@click.command(epilog=examples("python -m bot doctor", "python -m bot doctor --json"))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def doctor(context: click.Context, as_json: bool) -> None:
    """Check settings, tokens, scopes, hook, clock, schema, queue and gates. Changes nothing; exit code 1 on a fault."""
    surroundings: Surroundings = context.obj
    logs.configure(level=logging.ERROR)
    findings = list(_findings(surroundings))
    if as_json:
        click.echo(
            json.dumps([{**asdict(finding), "ok": finding.ok} for finding in findings], indent=2, ensure_ascii=False)
        )
    else:
        for finding in findings:
            click.echo(str(finding))
    context.exit(0 if all(finding.ok for finding in findings) else 1)


COMMANDS = {"doctor": doctor}


def _findings(surroundings: Surroundings) -> Iterator[Finding]:
    try:
        loaded = settings.load(surroundings.environ, surroundings.dotenv)
        policy.load(loaded.config)
        outside = connect_outside(loaded)
    except (settings.SettingsError, policy.PolicyError) as problem:
        for line in str(problem).splitlines():
            yield Finding("settings", line, "correct it; .env.example and config/vigil.yml describe every one")
        return
    redact = Redactor(loaded.secrets).text
    yield Finding("settings", "usable")
    for notice in loaded.notices:
        yield Finding("settings", notice, note=True)
    for finding in (
        *check_github(outside.github),
        *check_slack(outside.slack),
        *check_hook(loaded),
        *_database(loaded),
    ):
        yield Finding(finding.what, redact(finding.seen), redact(finding.remedy), finding.note)


def _database(loaded: settings.Settings) -> Iterator[Finding]:
    if loaded.embedded and not EmbeddedPostgres(loaded.home).exists():
        yield Finding("database", f"none in {loaded.home} yet", "it is made at the first start", note=True)
        return
    try:
        with open_database(loaded) as opened:
            yield Finding("database", "reachable")
            yield from check_database(opened.database, machine_clock)
    except (DatabaseUnreachable, EmbeddedPostgresError, SQLAlchemyError) as problem:
        yield Finding("database", " ".join(str(problem).split()), "make it reachable, or correct DATABASE_URL")
