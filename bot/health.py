"""Whether this bot can do its work: schema, database, workers, gates. Only reads."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from durable.client import Client

_TIMEOUT = 2.0
_FRESH = 1.0


@dataclass(frozen=True)
class Check:
    """One finding: `ok`, and in `detail` what was seen and, where it is not ok, the remedy."""

    name: str
    ok: bool
    detail: str


class Health:
    """Checks that cost a few small queries; asked again within a second, the last answer holds."""

    def __init__(
        self,
        client: Client,
        schema_now: Callable[[], Mapping[str, str | None]],
        schema_needed: Mapping[str, str],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._schema_now = schema_now
        self._schema_needed = dict(schema_needed)
        self._monotonic = monotonic
        self._last: tuple[float, list[Check]] | None = None

    def checks(self) -> list[Check]:
        """All checks as of now. Reads the database: call it from a thread."""
        now = self._monotonic()
        if self._last is not None and now - self._last[0] < _FRESH:
            return self._last[1]
        found = self._look()
        self._last = (now, found)
        return found

    def _look(self) -> list[Check]:
        try:
            schema = dict(self._schema_now())
        except SQLAlchemyError as problem:
            return [Check("database", ok=False, detail=f"not reachable ({type(problem).__name__}); see DATABASE_URL")]
        database = Check("database", ok=True, detail="reachable")
        if schema != self._schema_needed:
            needed = ", ".join(f"{name} {revision}" for name, revision in self._schema_needed.items())
            found = ", ".join(f"{name} {revision or 'none'}" for name, revision in schema.items())
            detail = f"needs {needed}, is at {found}; run `python -m bot db upgrade`"
            return [database, Check("schema", ok=False, detail=detail)]
        try:
            return [database, Check("schema", ok=True, detail="current"), self._worker(), self._gates()]
        except SQLAlchemyError as problem:
            return [Check("database", ok=False, detail=f"did not answer ({type(problem).__name__})")]

    def _worker(self) -> Check:
        alive = sum(worker.alive for worker in self._client.workers())
        detail = f"{alive} alive" if alive else "none alive; run `python -m bot worker`"
        return Check("worker", ok=alive > 0, detail=detail)

    def _gates(self) -> Check:
        closed = self._client.gates()
        detail = "; ".join(f"{gate.name} since {gate.since:%Y-%m-%d %H:%M} UTC: {gate.reason}" for gate in closed)
        return Check("gates", ok=not closed, detail=detail or "open")
