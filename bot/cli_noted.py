"""The audit of the command line: who ran which command that changes something, and how it went."""

import os
import pwd
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import click

from bot.audit import Audit
from durable.postgres import Database

_NAMES = {"unlimited queue": "lift limit"}
_OF_WORKFLOWS = ("workflow", "flow")  # whose verbs need no noun
_SUBJECTS = ("workflow_id", "run_id", "name")
_NOT_KEPT = ("input_", "payload", "yes", "wait", "timeout", "dry_run")
"""Payloads may hold secrets, and are kept with the workflow anyway; the others change nothing."""


@contextmanager
def noted(database: Database) -> Iterator[None]:
    """Note the command that runs in this shell around what it does. Its arguments are kept, its payloads are not."""
    context = click.get_current_context()
    audit = Audit(database)
    number = audit.begin(_operator(), _act(context), _subject(context), _detail(context))
    try:
        yield
    except Exception as problem:
        audit.end(number, f"refused: {problem}")
        raise
    audit.end(number, "done")


def _operator() -> str:
    """Whose process this is, and where: `cli:ada@laptop`. The environment may say something else; the system does not."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    return f"cli:{name}@{socket.gethostname()}"


def _act(context: click.Context) -> str:
    group = context.parent.info_name if context.parent else None
    name = str(context.info_name) if group in _OF_WORKFLOWS else f"{context.info_name} {group}"
    return _NAMES.get(name, name)


def _subject(context: click.Context) -> str:
    """The one thing that the command is about; `many` for several."""
    ids: tuple[str, ...] = context.params.get("workflow_ids") or ()
    if len(ids) == 1:
        return ids[0]
    return next((str(context.params[name]) for name in _SUBJECTS if context.params.get(name)), "many")


def _detail(context: click.Context) -> str:
    """The other arguments, as words."""
    subject = _subject(context)
    given = [(name, value) for name, value in context.params.items() if name not in _NOT_KEPT and value]
    return ", ".join(f"{name}: {_said(value)}" for name, value in given if _said(value) != subject)


def _said(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
