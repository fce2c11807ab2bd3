"""Where the embedded PostgreSQL's files lie, and the account it runs as: PostgreSQL refuses to run as root."""

import hashlib
import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

ROOTS_FOLDER = Path("/var/lib/vigil")
LOCATION_FILE = "postgres.location"
# An operator may make an account of our own; else PostgreSQL's, which nothing but PostgreSQL uses; else the one
# every system has. Nobody's processes could read the data of a bot that runs as root: hence last.
ACCOUNTS = ("vigil", "postgres", "nobody")


class EmbeddedPostgresError(Exception):
    """The embedded PostgreSQL cannot be used. The text names what is wrong and the remedy."""


@dataclass(frozen=True)
class Account:
    """A user of this machine that PostgreSQL runs as."""

    name: str
    uid: int
    gid: int


class RunsAs(NamedTuple):
    """`subprocess`'s `user`, `group` and `extra_groups`; None leaves them. Root's other groups are never passed on."""

    user: int | None
    group: int | None
    extra_groups: tuple[int, ...] | None


@dataclass(frozen=True)
class Place:
    """The files of one embedded PostgreSQL. Only `data` and `socket` belong to `account`; the rest is the bot's,
    so that root opens no file in a folder that an unprivileged account may change."""

    base: Path
    account: Account
    as_root: bool

    @property
    def data(self) -> Path:
        """PostgreSQL's data directory."""
        return self.base / "data"

    @property
    def socket(self) -> Path:
        """The folder of the Unix socket, where its path is short enough."""
        return self.base / "socket"

    @property
    def log(self) -> Path:
        """What PostgreSQL writes about itself."""
        return self.base / "postgres.log"

    @property
    def runs_as(self) -> "RunsAs":
        """Who PostgreSQL's programs run as, for `subprocess`: nothing to change unless we are root."""
        if not self.as_root:
            return RunsAs(None, None, None)
        return RunsAs(self.account.uid, self.account.gid, ())

    def own_folder(self, folder: Path) -> None:
        """Create a folder that only PostgreSQL's account (and root) may enter."""
        folder.mkdir(mode=0o700, exist_ok=True)
        if self.as_root:
            os.chown(folder, self.account.uid, self.account.gid)


def prepare(home: Path, roots_folder: Path = ROOTS_FOLDER) -> Place:
    """The place that belongs to `home`, its folders created. Permissions of existing folders stay as they are.
    Raises `EmbeddedPostgresError` when the data in `home` are another user's."""
    home = Path(os.path.realpath(home))
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _prepare_for_root(home, roots_folder) if os.geteuid() == 0 else _prepare_for_user(home)
    except OSError as problem:
        raise EmbeddedPostgresError(
            f"VIGIL_HOME {home}: {problem.strerror} ({problem.filename}); name a folder this user may write to"
        ) from problem


def _prepare_for_user(home: Path) -> Place:
    location = home / LOCATION_FILE
    if location.exists():
        raise EmbeddedPostgresError(
            f"VIGIL_HOME {home} was used by root, whose data lie in the folder {location} names; "
            "run as root, or set VIGIL_HOME to another folder"
        )
    base = home / "postgres"
    base.mkdir(mode=0o700, exist_ok=True)
    return Place(base, _account_of(os.geteuid()), as_root=False)


def _prepare_for_root(home: Path, roots_folder: Path) -> Place:
    users_data = home / "postgres" / "data"
    if users_data.exists():
        owner = users_data.stat().st_uid
        raise EmbeddedPostgresError(
            f"{users_data} holds the data of the user with id {owner}; run as that user, or set VIGIL_HOME to another folder"
        )
    roots_folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    if roots_folder.stat().st_uid != 0 or roots_folder.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise EmbeddedPostgresError(f"{roots_folder} may be changed by others than root; give it to root with mode 755")
    roots_folder.chmod(0o755)  # our own folder: whatever the umask was, PostgreSQL's account must pass through
    base = roots_folder / hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
    base.mkdir(exist_ok=True)
    base.chmod(0o711)
    location = home / LOCATION_FILE
    if not location.exists():
        location.write_text(f"{base}\n", encoding="utf-8")
    return Place(base, _unprivileged_account(), as_root=True)


def _account_of(uid: int) -> Account:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError as problem:
        raise EmbeddedPostgresError(
            f"the user with id {uid} has no entry in the machine's list of users, which PostgreSQL needs; "
            "add one, or set DATABASE_URL"
        ) from problem
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _unprivileged_account() -> Account:
    for name in ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    raise EmbeddedPostgresError(
        f"PostgreSQL does not run as root, and none of the accounts {', '.join(ACCOUNTS)} exists; "
        "add one with `useradd --system vigil`, or set DATABASE_URL"
    )
