"""What one run writes, kept to what fits into rows: its large texts are committed by themselves, and named in its rows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from sqlalchemy import Connection

from durable.errors import NotSerializable
from durable.model import Claim, Entry, Member
from durable.payloads import refers
from durable.postgres import payloads
from durable.postgres.database import Database
from durable.postgres.journal import Write
from durable.replay import Completed, Continued, Failed, Outcome

S = TypeVar("S", str, str | None)


class Offloading:
    """Finds what is too long in the writes of one claim. What it has committed once it does not commit again."""

    def __init__(self, database: Database, claim: Claim) -> None:
        self._database = database
        self._workflow = claim.key
        self._inline = database.payloads.inline
        self._known: set[str] = set()

    def fitting(self, text: str) -> str:
        """The text itself. Raises `NotSerializable` when it is longer than what is stored."""
        return self._database.payloads.fitting(text)

    def concluded(self, outcome: Outcome) -> Outcome:
        """The outcome, or the failure to store it."""
        try:
            match outcome:
                case Completed(text) | Continued(text):
                    self.fitting(text)
        except NotSerializable as error:
            return Failed(type(error).__name__, str(error), str(error))
        return outcome

    def short(self, text: S) -> S:
        """A text of this run as it goes into a row."""
        return text if text is None else self._references([text]).get(text, text)

    def shortened(self, order: Write) -> Write:
        """A write with entries and status as they go into rows. Where no text is long this costs a comparison for each."""
        if not self._is_large(order):
            return order
        texts = [text for entry in order.entries for text in (entry.payload, entry.arguments)]
        references = self._references(text for text in (*texts, order.status) if text is not None)

        def short(text: str | None) -> str | None:
            return None if text is None else references.get(text, text)

        entries = [
            replace(entry, payload=short(entry.payload), arguments=short(entry.arguments)) for entry in order.entries
        ]
        return replace(order, entries=entries, status=short(order.status))

    def members(self, members: Sequence[tuple[str, Member]]) -> list[tuple[str, Member]]:
        """(workflow id, member) pairs with inputs as they go into rows. Raises `NotSerializable`."""
        references = payloads.offload(self._database, (self.fitting(member.input) for _, member in members))
        return [
            (workflow_id, replace(member, input=references.get(member.input, member.input)) if references else member)
            for workflow_id, member in members
        ]

    def use(self, connection: Connection, entry: Entry) -> None:
        """Note what an entry refers to that was put together of others' texts, in the transaction that writes it."""
        payloads.use(connection, self._workflow, entry.payload)

    def whole(self, entry: Entry) -> Entry:
        """An entry with what it refers to."""
        if not refers(entry.payload):
            return entry
        with self._database.reading() as connection:
            return payloads.whole_entries(connection, [entry])[0]

    def _references(self, texts: Iterable[str]) -> Mapping[str, str]:
        return payloads.offload(self._database, texts, workflow=self._workflow, known=self._known)

    def _is_large(self, order: Write) -> bool:
        most = self._inline
        if order.status is not None and len(order.status) > most:
            return True
        for entry in order.entries:
            if entry.payload is not None and len(entry.payload) > most:
                return True
            if entry.arguments is not None and len(entry.arguments) > most:
                return True
        return False
