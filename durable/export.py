"""Histories as files: a run with its input and its journal as JSON text, to be replayed against any release's code.

An exported history holds what the run was given and what it read: treat the file like the database.
"""

import json
from datetime import datetime
from typing import Any, NoReturn

from sqlalchemy import Connection

from durable.definitions import Workflow
from durable.errors import Suspended, Undecodable
from durable.model import Command, Entry
from durable.postgres import exports
from durable.replay import Completed, Divergence, Ended, Failed, Outcome, Replay, run

FORMAT = 1
_ENDS: dict[str | None, type[Outcome]] = {"completed": Completed, "failed": Failed, "cancelled": Ended}


class _Frontier:
    """A runtime that answers nothing: where history ends, the replay is suspended."""

    def __init__(self, began: datetime) -> None:
        self._began = began

    def answer(self, step: int, command: Command, entry: Entry | None) -> Entry:
        """Suspend: this is as far as history goes."""
        del step, command, entry
        raise Suspended

    def set_status(self, value: str) -> None:
        """Nobody looks."""

    def begin_round(self, entry: Entry, first: int) -> NoReturn:
        """Suspend: the round that begins here is not in the history."""
        del entry, first
        raise Suspended

    def now(self) -> datetime:
        """The time of what is not in the history any more; nothing that is decided by it counts."""
        return self._began


def export(connection: Connection, workflow_id: str) -> str:
    """The present run of a workflow as JSON text: name, input, beginning, seed and history, and how it ended.

    Raises `WorkflowNotFound`, and `Undecodable` when a stored value is no JSON.
    """
    found = exports.run_of(connection, workflow_id)
    try:
        return json.dumps(
            {
                "format": FORMAT,
                "workflow": found.name,
                "workflow_id": found.workflow_id,
                "run": found.run,
                "began_at": found.began_at.isoformat(),
                "seed": found.seed,
                "input": json.loads(found.input),
                "outcome": found.outcome,
                "result": _parsed(found.result),
                "history": [_row(entry) for entry in found.history],
            },
            indent=1,
        )
    except ValueError as error:
        raise Undecodable(f"{workflow_id} cannot be exported, a stored value is no JSON: {error}") from error


def workflow_of(exported: str) -> str:
    """The name of the workflow an exported history is of. Raises `Undecodable` when the text is no such history."""
    return str(_read(exported)["workflow"])


def replay_exported(exported: str, workflow: Workflow[..., Any]) -> Outcome:
    """Run the code against an exported history: `Divergence` when they do not match, else what the code comes to.

    Where history ends the code is suspended (`Waiting`); a history that ended has to end in the same way. Raises
    `Undecodable` when the text is no exported history.
    """
    stored = _read(exported)
    began = datetime.fromisoformat(stored["began_at"])
    history = {row["step"]: _entry(row) for row in stored["history"]}
    outcome = run(
        workflow,
        _text(stored["input"]) or "",
        Replay(history, _Frontier(began), began=began, seed=stored["seed"]),
    )
    end = _ENDS.get(stored["outcome"])
    if isinstance(outcome, Divergence) or end is None:
        return outcome
    result = Completed(_text(stored["result"]) or "null")
    if not isinstance(outcome, end) or (end is Completed and outcome != result):
        ended = result if end is Completed else stored["outcome"]
        return Divergence(f"the history ended with {ended}, the code comes to {outcome}")
    return outcome


def _read(exported: str) -> dict[str, Any]:
    try:
        stored = json.loads(exported)
        known = stored["format"] == FORMAT
    except (ValueError, KeyError, TypeError) as error:
        raise Undecodable(f"no exported history: {type(error).__name__}: {error}") from error
    if not known:
        raise Undecodable(f"an exported history of the format {stored['format']}; this release reads {FORMAT}")
    read: dict[str, Any] = stored
    return read


def _row(entry: Entry) -> dict[str, Any]:
    return vars(entry) | {
        "at": entry.at.isoformat(),
        "due_at": entry.due_at and entry.due_at.isoformat(),
        "payload": _parsed(entry.payload),
        "arguments": _parsed(entry.arguments),
    }


def _entry(row: dict[str, Any]) -> Entry:
    return Entry(
        **row
        | {
            "at": datetime.fromisoformat(row["at"]),
            "due_at": row["due_at"] and datetime.fromisoformat(row["due_at"]),
            "payload": _text(row["payload"]),
            "arguments": _text(row["arguments"]),
        }
    )


def _parsed(stored: str | None) -> Any:
    return None if stored is None else json.loads(stored)


def _text(value: Any) -> str | None:
    return None if value is None else json.dumps(value, separators=(",", ":"))
