"""A process of its own that uses the embedded PostgreSQL: prints its address, or why not, and waits for standard input.

`python use_embedded.py HOME ROOTS_FOLDER [ACCOUNT SITE]`: with ACCOUNT it becomes that unprivileged user once all is
imported, and takes the wheel's programs from SITE, since root's own folders may be closed to it.
"""

import os
import pwd
import sys
from pathlib import Path

import psycopg2
from sqlalchemy import create_engine

from bot.embedded import EmbeddedPostgres
from bot.postgres_place import EmbeddedPostgresError

IMPORTED_BEFORE_THE_RIGHTS_ARE_GONE = (psycopg2.extensions.connection, create_engine("postgresql+psycopg2://").dialect)


def become(account: str, site: str) -> None:
    entry = pwd.getpwnam(account)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    sys.path.insert(0, site)


def main() -> int:
    home, roots_folder, *other_user = sys.argv[1:]
    if other_user:
        become(*other_user)
    try:
        with EmbeddedPostgres(Path(home), roots_folder=Path(roots_folder)).running() as url:
            print(url, flush=True)  # noqa: T201 - how this program answers
            sys.stdin.readline()
    except EmbeddedPostgresError as problem:
        print(f"refused: {problem}", flush=True)  # noqa: T201 - how this program answers
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
