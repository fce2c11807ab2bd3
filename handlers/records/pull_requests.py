"""Which workflow watches which pull request, and which channel it holds.

A pull request is found by (host, repository id, number), which survive a rename or transfer; its names are what GitHub
called it last. A channel belongs for ever to the workflow that held it first: nobody adopts an archived one.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    DateTime,
    ForeignKey,
    Index,
    RowMapping,
    Select,
    Table,
    Text,
    UniqueConstraint,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from durable import serializable, transaction
from handlers.records.schema import metadata, storable
from integrations.github.api import PullRequest, PullRequestRef

pull_requests = Table(
    "pull_requests",
    metadata,
    Column("workflow_id", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("repository_id", BigInteger, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("owner", Text, nullable=False),
    Column("repo", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("outcome", Text),
    Column("watched_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    UniqueConstraint("host", "repository_id", "number"),
)
Index(
    "pull_requests_open_idx",
    pull_requests.c.watched_at,
    postgresql_where=pull_requests.c.outcome.is_(None),
)
Index(
    "pull_requests_named_idx",
    func.lower(pull_requests.c.owner),
    func.lower(pull_requests.c.repo),
    pull_requests.c.number,
)

channels = Table(
    "channels",
    metadata,
    Column("channel_id", Text, primary_key=True),
    Column("workflow_id", Text, ForeignKey(pull_requests.c.workflow_id, ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("held_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Index("channels_workflow_id_idx", "workflow_id"),
)


@dataclass(frozen=True)
class Watched:
    """A pull request with a watch, past or present. `outcome` is None while it is watched, else how that ended."""

    workflow_id: str
    ref: PullRequestRef
    title: str
    url: str
    outcome: str | None
    watched_at: datetime


@serializable
@dataclass(frozen=True)
class Registration:
    """Which workflow watches a pull request, whether we never heard of it before, and how its last watch ended (None:
    it has not)."""

    workflow_id: str
    is_new: bool
    outcome: str | None


@dataclass(frozen=True)
class Repository:
    """A repository of which pull requests were watched, under its latest names; `since` is when the first one was."""

    host: str
    owner: str
    repo: str
    since: datetime


@transaction
def register_pull_request(connection: Connection, workflow_id: str, pull_request: PullRequest) -> Registration:
    """Note that `workflow_id` watches this pull request, unless another workflow does: one that knew it first, perhaps
    under a former name of its repository."""
    ref = pull_request.ref
    noted = {
        "host": ref.host.lower(),
        "repository_id": ref.repository_id,
        "number": ref.number,
        "owner": storable(ref.owner),
        "repo": storable(ref.repo),
        "title": storable(pull_request.title),
        "url": storable(pull_request.url),
    }
    row = insert(pull_requests).values(workflow_id=workflow_id, **noted).on_conflict_do_nothing()
    if connection.execute(row).rowcount == 1:
        return Registration(workflow_id, is_new=True, outcome=None)
    known = watched(connection, ref)
    if known is not None and known.workflow_id != workflow_id:
        return Registration(known.workflow_id, is_new=False, outcome=known.outcome)
    mine = update(pull_requests).where(pull_requests.c.workflow_id == workflow_id)
    if known is None:  # our id is taken by a repository of this name that is gone; its watch is not ours
        connection.execute(mine.values(**noted, outcome=None, updated_at=func.now()))
        return Registration(workflow_id, is_new=True, outcome=None)
    connection.execute(mine.values(**noted, updated_at=func.now()))
    return Registration(workflow_id, is_new=False, outcome=known.outcome)


@transaction
def hold_channel(connection: Connection, workflow_id: str, channel_id: str, name: str) -> bool:
    """Hold this Slack channel for this workflow; False when another workflow holds it or ever held it."""
    row = {"channel_id": channel_id, "workflow_id": workflow_id, "name": name}
    connection.execute(insert(channels).values(row).on_conflict_do_nothing(index_elements=["channel_id"]))
    holder = connection.scalar(select(channels.c.workflow_id).where(channels.c.channel_id == channel_id))
    return holder == workflow_id


@transaction
def note_outcome(connection: Connection, workflow_id: str, outcome: str | None) -> None:
    """Note how the watch ended, so that an ordinary delivery does not begin it again; None: it has begun again."""
    mine = update(pull_requests).where(pull_requests.c.workflow_id == workflow_id)
    noted = None if outcome is None else storable(outcome)
    connection.execute(mine.values(outcome=noted, updated_at=func.now()))


def workflow_id_for(connection: Connection, ref: PullRequestRef) -> str | None:
    """The workflow that watches or watched this pull request, whatever its repository is called now; or None."""
    known = watched(connection, ref)
    return known.workflow_id if known else None


def watched(connection: Connection, ref: PullRequestRef) -> Watched | None:
    """The watch over this pull request, by what survives a rename: host, repository id, number."""
    wanted = select(pull_requests).where(
        pull_requests.c.host == ref.host.lower(),
        pull_requests.c.repository_id == ref.repository_id,
        pull_requests.c.number == ref.number,
    )
    row = connection.execute(wanted).mappings().first()
    return _watched(row) if row else None


def find(connection: Connection, owner: str, repo: str, number: int, *, host: str | None = None) -> Watched | None:
    """The watch over `owner/repo#number`, in any case, the latest if several hosts have one and none is named."""
    if number > _LARGEST:
        return None
    wanted = (
        select(pull_requests)
        .where(
            func.lower(pull_requests.c.owner) == storable(owner).lower(),
            func.lower(pull_requests.c.repo) == storable(repo).lower(),
            pull_requests.c.number == number,
        )
        .order_by(pull_requests.c.updated_at.desc())
    )
    if host is not None:
        wanted = wanted.where(pull_requests.c.host == storable(host).lower())
    row = connection.execute(wanted).mappings().first()
    return _watched(row) if row else None


def find_by_id(connection: Connection, workflow_id: str) -> Watched | None:
    """The pull request that this workflow watches or watched, whatever it is called now."""
    wanted = select(pull_requests).where(pull_requests.c.workflow_id == storable(workflow_id))
    row = connection.execute(wanted).mappings().first()
    return _watched(row) if row else None


def is_any(connection: Connection) -> bool:
    """Whether any pull request was ever watched."""
    return connection.execute(select(pull_requests.c.workflow_id).limit(1)).first() is not None


def find_by_channel(connection: Connection, channel_id: str) -> Watched | None:
    """The watch that holds or held this Slack channel."""
    wanted = select(pull_requests).join(channels).where(channels.c.channel_id == channel_id)
    row = connection.execute(wanted).mappings().first()
    return _watched(row) if row else None


def list_open(connection: Connection, limit: int = 200) -> list[Watched]:
    """The pull requests that are watched, the youngest watch first."""
    wanted = select(pull_requests).where(pull_requests.c.outcome.is_(None))
    return _all(connection, wanted.order_by(pull_requests.c.watched_at.desc()).limit(limit))


def count_open(connection: Connection) -> int:
    """How many pull requests are watched."""
    wanted = select(func.count()).select_from(pull_requests).where(pull_requests.c.outcome.is_(None))
    return connection.scalars(wanted).one()


def list_ended_early(connection: Connection, limit: int = 20) -> list[Watched]:
    """The watches that ended although the pull request was neither merged nor closed, the latest first."""
    wanted = select(pull_requests).where(pull_requests.c.outcome.not_in(("merged", "closed")))
    return _all(connection, wanted.order_by(pull_requests.c.updated_at.desc()).limit(limit))


def repositories(connection: Connection) -> list[Repository]:
    """Every repository of which a pull request was ever watched, by name."""
    of_one = (pull_requests.c.host, pull_requests.c.repository_id)
    latest = select(
        pull_requests.c.host,
        pull_requests.c.owner,
        pull_requests.c.repo,
        func.min(pull_requests.c.watched_at).over(partition_by=of_one).label("since"),
        func.row_number().over(partition_by=of_one, order_by=pull_requests.c.updated_at.desc()).label("place"),
    ).subquery()
    wanted = select(latest.c.host, latest.c.owner, latest.c.repo, latest.c.since).where(latest.c.place == 1)
    return [Repository(*row) for row in connection.execute(wanted.order_by(latest.c.owner, latest.c.repo))]


def over_since(connection: Connection, moment: datetime) -> list[str]:
    """The workflows whose pull requests were merged or closed since then, the latest first."""
    wanted = select(pull_requests.c.workflow_id).where(
        pull_requests.c.outcome.in_(("merged", "closed")), pull_requests.c.updated_at >= moment
    )
    return list(connection.scalars(wanted.order_by(pull_requests.c.updated_at.desc())))


_LARGEST = 2**63 - 1


def _all(connection: Connection, wanted: Select[Any]) -> list[Watched]:
    return [_watched(row) for row in connection.execute(wanted).mappings()]


def _watched(row: RowMapping) -> Watched:
    return Watched(
        workflow_id=row["workflow_id"],
        ref=PullRequestRef(row["host"], row["owner"], row["repo"], row["number"], row["repository_id"]),
        title=row["title"],
        url=row["url"],
        outcome=row["outcome"],
        watched_at=row["watched_at"],
    )
