"""Large texts in a table of their own, each once, by its hash; and which workflows refer to them.

A content is committed before any row refers to it, on a connection of its own: nobody then waits for another's transaction
because both have the same value. What a workflow's rows refer to it *uses*, and while somebody uses a content it stays.
A use is committed with the row or, where a run writes, before it: see `payload_pruning` for who keeps it until then.
"""

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from sqlalchemy import Connection, text

from durable.model import Claim, Entry
from durable.payloads import expand, hash_of, is_reference, reference_to, referred_to, refers
from durable.postgres.database import Database

S = TypeVar("S", str, str | None)
QUICK_COMPRESSION = 1
MOST_AT_ONCE = 16 * 1024 * 1024
"""Characters that go into one statement, unless a single content is longer."""

_PUT = text("""
WITH clock AS MATERIALIZED (SELECT durable.now() AS now), put AS (
    INSERT INTO durable.payloads (hash, content, characters, holds, noted_at)
    SELECT hash, content, characters, string_to_array(nullif(holds, ''), ' '), now
    FROM clock, unnest(CAST(:hashes AS text[]), CAST(:contents AS bytea[]), CAST(:characters AS integer[]),
        CAST(:holds AS text[])) AS given(hash, content, characters, holds) ORDER BY hash
    ON CONFLICT (hash) DO UPDATE SET noted_at = excluded.noted_at RETURNING hash, noted_at
)
INSERT INTO durable.payload_uses (workflow_key, hash, noted_at)
SELECT CAST(:workflow AS bigint), hash, noted_at FROM put WHERE CAST(:workflow AS bigint) IS NOT NULL
ON CONFLICT (workflow_key, hash) DO NOTHING
""")
_USE = text("""
INSERT INTO durable.payload_uses (workflow_key, hash, noted_at)
SELECT :workflow, hash, (SELECT durable.now()) FROM unnest(CAST(:hashes AS text[])) AS hash ORDER BY hash
ON CONFLICT (workflow_key, hash) DO NOTHING
""")
_USE_OF_NEW = text("""
INSERT INTO durable.payload_uses (workflow_key, hash, noted_at)
SELECT key, hash, (SELECT durable.now())
FROM unnest(CAST(:ids AS text[]), CAST(:hashes AS text[])) AS given(workflow_id, hash)
JOIN durable.workflows USING (workflow_id)
ON CONFLICT (workflow_key, hash) DO NOTHING
""")
_CONTENTS = text("""
WITH RECURSIVE wanted(hash) AS (
    SELECT unnest(CAST(:hashes AS text[]))
    UNION SELECT unnest(holds) FROM wanted JOIN durable.payloads USING (hash)
)
SELECT hash, content FROM wanted JOIN durable.payloads USING (hash)
""")
_LENGTHS = text("SELECT hash, characters FROM durable.payloads WHERE hash = ANY(:hashes)")


def offload(
    database: Database,
    texts: Iterable[str],
    *,
    workflow: int | None = None,
    known: set[str] | None = None,
    timeout: float | None = None,
) -> Mapping[str, str]:
    """Commit the contents of those texts that are too long for a row; gives the reference for each of these.

    With `workflow`, its key, that one uses them from now on; else the row that refers to them has to be noted by `use` in
    its transaction. Hashes that are `known` are not committed again, and new ones added. `timeout` is in seconds. Without a
    long text this costs comparisons of lengths.
    """
    limit = database.payloads.offload_over
    if limit is None:
        return {}
    long = {hash_of(text): text for text in texts if len(text) > limit}
    if not long:
        return {}
    known = set() if known is None else known
    for batch in _batches(sorted((hash_, content) for hash_, content in long.items() if hash_ not in known)):
        hashes = [hash_ for hash_, _ in batch]
        put = {
            "hashes": hashes,
            "contents": [zlib.compress(content.encode(), QUICK_COMPRESSION) for _, content in batch],
            "characters": [len(content) for _, content in batch],
            "holds": [" ".join(sorted(referred_to(content))) for _, content in batch],
            "workflow": workflow,
        }
        if timeout is None:
            with database.statement("payload") as connection:
                connection.execute(_PUT, put)
        else:
            with database.transaction("payload", timeout=timeout) as connection:
                connection.execute(_PUT, put)
        known.update(hashes)
    return {content: reference_to(hash_) for hash_, content in long.items()}


def shorten(database: Database, text: str, *, timeout: float | None = None) -> str:
    """A text as it goes into a row that is not there yet: itself, or the reference to it."""
    if len(text) <= database.payloads.inline:
        return text
    return offload(database, [text], timeout=timeout).get(text, text)


def use(connection: Connection, workflow: int, *texts: str | None) -> None:
    """Note what these texts of a workflow refer to, in the transaction that writes them."""
    if hashes := _hashes(texts):
        connection.execute(_USE, {"workflow": workflow, "hashes": hashes})


def use_of_new(connection: Connection, inputs: Mapping[str, str]) -> None:
    """Note what the inputs of workflows (by their ids) refer to, in the transaction that begins them."""
    large = {workflow_id: referred_to(input_) for workflow_id, input_ in inputs.items() if is_reference(input_)}
    if large:
        connection.execute(_USE_OF_NEW, {"ids": list(large), "hashes": [hash_ for (hash_,) in large.values()]})


def whole(connection: Connection, stored: S) -> S:
    """A stored text with what it refers to."""
    return stored if stored is None else expand(stored, contents(connection, [stored]))


def whole_entries(connection: Connection, entries: Sequence[Entry]) -> list[Entry]:
    """Entries with what their payloads and arguments refer to, in one query, and none where they refer to nothing."""
    found = contents(connection, (text for entry in entries for text in (entry.payload, entry.arguments)))
    return [_expanded(entry, found) for entry in entries] if found else list(entries)


def whole_claims(connection: Connection, claims: Sequence[Claim]) -> list[Claim]:
    """Claims with what their inputs and histories refer to, in one query, and none where they refer to nothing."""
    found = contents(connection, [text for claim in claims for text in _texts_of(claim)])
    if not found:
        return list(claims)
    return [
        replace(
            claim,
            input=expand(claim.input, found),
            history={step: _expanded(entry, found) for step, entry in claim.history.items()},
        )
        for claim in claims
    ]


def lengths(connection: Connection, texts: Iterable[str | None]) -> dict[str, int]:
    """How long the contents are that these texts refer to, by hash. No content is read."""
    if hashes := _hashes(texts):
        return {row.hash: row.characters for row in connection.execute(_LENGTHS, {"hashes": hashes})}
    return {}


def contents(connection: Connection, texts: Iterable[str | None]) -> dict[str, str]:
    """The contents that these texts refer to, and those that these refer to, by hash."""
    if hashes := _hashes(texts):
        found = connection.execute(_CONTENTS, {"hashes": hashes})
        return {row.hash: zlib.decompress(bytes(row.content)).decode() for row in found}
    return {}


def _hashes(texts: Iterable[str | None]) -> list[str]:
    referring = [text for text in texts if text is not None and refers(text)]
    return sorted(frozenset().union(*map(referred_to, referring))) if referring else []


def _texts_of(claim: Claim) -> list[str | None]:
    return [claim.input, *(entry.payload for entry in claim.history.values())]


def _expanded(entry: Entry, contents: Mapping[str, str]) -> Entry:
    payload, arguments = (text and expand(text, contents) for text in (entry.payload, entry.arguments))
    return replace(entry, payload=payload, arguments=arguments)


def _batches(contents: Sequence[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    batch: list[tuple[str, str]] = []
    characters = 0
    for hash_, content in contents:
        if batch and characters + len(content) > MOST_AT_ONCE:
            yield batch
            batch, characters = [], 0
        batch.append((hash_, content))
        characters += len(content)
    if batch:
        yield batch
