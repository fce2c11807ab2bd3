"""What a soak looks at every few seconds: memory, threads, files, connections, sizes, dead rows, histories, lag."""

from collections.abc import Mapping
from typing import Any

import psutil
from sqlalchemy import Connection, text

from durable.postgres import Database, views

MEGABYTE = 2**20
KILOBYTE = 2**10
Sample = dict[str, float]
"""Values by name; what stands before the colon says in which panel of the picture a value is drawn."""

_SESSIONS = text("SELECT pid, application_name = 'durable' AS ours FROM pg_stat_activity")
_SIZES = text("""
SELECT relkind = 'i' AS is_index, relname, pg_relation_size(oid) AS bytes FROM pg_class
WHERE relnamespace = 'durable'::regnamespace AND relkind IN ('r', 'i')
""")
_DEAD = text("SELECT relname, n_dead_tup FROM pg_stat_user_tables WHERE schemaname = 'durable'")
_LONGEST = text(
    "SELECT coalesce(max(entries), 0) FROM (SELECT count(*) AS entries FROM durable.history GROUP BY workflow_key, run) AS h"
)
_LEAST_KB = 64
"""Smaller tables and indexes are a few pages and of no interest."""


def sample(database: Database, processes: Mapping[str, psutil.Process]) -> Sample:
    """Everything, as of now."""
    values: Sample = {}
    for name, process in processes.items():
        values[f"memory, MB: {name}"] = process.memory_info().rss / MEGABYTE
        values[f"threads and files: threads of {name}"] = process.num_threads()
        values[f"threads and files: files of {name}"] = process.num_fds()
    with database.reading() as connection:
        return values | _of_sessions(connection) | _of_tables(connection) | _of_the_engine(connection)


def _of_sessions(connection: Connection) -> Sample:
    sessions = list(connection.execute(_SESSIONS))
    private = sum(_private_memory(row.pid) for row in sessions)
    return {
        "memory, MB: postgres without what its processes share": private / MEGABYTE,
        "connections: of the engine": sum(bool(row.ours) for row in sessions),
    }


def _private_memory(pid: int) -> int:
    try:
        uss: int = psutil.Process(pid).memory_full_info().uss
    except psutil.NoSuchProcess:
        return 0
    return uss


def _of_tables(connection: Connection) -> Sample:
    sizes = {
        f"{'indexes' if row.is_index else 'tables'}, KB: {row.relname}": row.bytes / KILOBYTE
        for row in connection.execute(_SIZES)
    }
    dead = {f"dead rows: {row.relname}": float(row.n_dead_tup) for row in connection.execute(_DEAD)}
    return sizes | dead


def _of_the_engine(connection: Connection) -> Sample:
    overview = views.overview(connection)
    open_states = ("waiting", "running", "parked", "paused")
    return {
        "workflows: open": sum(overview.counts.get(state, 0) for state in open_states),
        "workflows: ended and kept": sum(many for state, many in overview.counts.items() if state not in open_states),
        "due: workflows": overview.due,
        "lag, seconds: of the oldest that is due": overview.lag_seconds,
        "history: longest of a run, entries": float(connection.execute(_LONGEST).scalar_one()),
        "deliveries: undispatched": overview.undispatched,
    }


def unusual(counts: Mapping[str, Any]) -> dict[str, Any]:
    """Of counts by state those that must not be there after a soak."""
    return {state: many for state, many in counts.items() if state in ("failed", "paused", "parked") and many}
