"""DBOS's own environment: made on first use in the user's cache folder, from what is pinned in `dbos/`."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
REQUIREMENTS = Path(__file__).parent / "dbos" / "requirements.txt"


class NoDbos(Exception):
    """DBOS could not be installed; the message says why."""


def dbos_version() -> str:
    """The pinned version."""
    pins = (line.partition("==") for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines())
    return next(version.split()[0] for name, _, version in pins if name == "dbos")


def dbos_python() -> Path:
    """The Python of an environment with DBOS in it. Raises `NoDbos` when there is none and none can be made."""
    pinned = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:12]
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = caches / "vigil" / f"dbos-{pinned}"
    if not folder.exists():
        _make(folder)
    return folder / "bin" / "python"


def _make(folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Made beside its place and moved there when complete: an environment is found whole or not at all.
    fresh = Path(tempfile.mkdtemp(prefix="dbos.new-", dir=folder.parent))
    try:
        uv = subprocess.run([ROOT / ".ci" / "uv"], check=True, capture_output=True, text=True).stdout.strip()
        commands: tuple[list[str | Path], ...] = (
            [uv, "venv", "--quiet", "--clear", "--relocatable", "--python", sys.executable, fresh],
            [uv, "pip", "install", "--quiet", "--require-hashes", "--python", fresh, "--requirement", REQUIREMENTS],
        )
        for command in commands:
            subprocess.run(command, check=True, capture_output=True, text=True)
        fresh.rename(folder)
    except subprocess.CalledProcessError as failed:
        shutil.rmtree(fresh, ignore_errors=True)
        raise NoDbos(f"DBOS could not be installed from {REQUIREMENTS.relative_to(ROOT)}: {failed.stderr}") from failed
