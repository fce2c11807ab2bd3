"""Noting what somebody does, before it is done, and how it went."""

from durable.postgres import Database
from handlers.records import acts


class Audit:
    """Writes the audit. Each call is a transaction of its own and raises what the database raises."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, actor: str, act: str, subject: str, detail: str = "") -> int:
        """Note that somebody is about to do something; returns the number of the note."""
        with self._database.transaction("act") as connection:
            return acts.note(connection, actor, act, subject, detail)

    def end(self, number: int, outcome: str, subject: str | None = None) -> None:
        """Note how it went, and what it was done to where that was not known before."""
        with self._database.transaction("act") as connection:
            acts.note_outcome(connection, number, outcome, subject)
