"""The golden histories: exported runs of every version, which later code has to replay."""

import os
import tomllib
from pathlib import Path

from tests.support.documents import ROOT

HISTORIES = ROOT / "tests" / "data" / "histories"


def keep_golden(name: str, exported: str) -> None:
    """Make this a golden history of the present version, when VIGIL_WRITE_SNAPSHOTS is set."""
    if not os.environ.get("VIGIL_WRITE_SNAPSHOTS"):
        return
    version: str = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    folder: Path = HISTORIES / version.rpartition(".")[0]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(exported + "\n", encoding="utf-8")
