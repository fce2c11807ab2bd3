"""`python -m tests.mutants [NAME …]`: plants each bug in a copy of the project and expects its tests to turn red.

Exits 1 when a bug went unnoticed. The project itself is not touched.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.mutants.catalogue import MUTANTS, ROOT, Mutant, mutated

COPIED = ("bot", "config", "docs", "durable", "handlers", "integrations", "tests", "pyproject.toml", "README.md")
LEFT_OUT = shutil.ignore_patterns("node_modules", "__pycache__", ".hypothesis")
TESTS_FAILED = 1


def noticed(mutant: Mutant) -> bool:
    """Whether a test fails with this bug planted."""
    with tempfile.TemporaryDirectory(prefix="vigil-mutant-") as folder:
        copy = Path(folder) / "vigil"
        copy.mkdir()
        for name in COPIED:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, copy / name, ignore=LEFT_OUT)
            elif (ROOT / name).exists():
                shutil.copy2(ROOT / name, copy / name)
        modules = Path("bot/demo/standins/node_modules")
        shutil.copytree(ROOT / modules, copy / modules, symlinks=True)
        for edit in mutant.edits:
            (copy / edit.file).write_text(mutated(edit), encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *mutant.tests]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
        ran = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    if ran.returncode not in (0, TESTS_FAILED):
        raise SystemExit(
            f"{mutant.name}: pytest itself ended with {ran.returncode}\n{ran.stdout[-3000:]}{ran.stderr[-1000:]}"
        )
    return ran.returncode == TESTS_FAILED


def main(names: list[str]) -> int:
    """Plant the bugs of these names, or all; returns the exit code."""
    unknown = set(names) - {mutant.name for mutant in MUTANTS}
    if unknown:
        print(f"no mutant is called {', '.join(sorted(unknown))}; there are: {', '.join(m.name for m in MUTANTS)}")
        return 2
    survivors = []
    for mutant in MUTANTS:
        if names and mutant.name not in names:
            continue
        began = time.monotonic()
        killed = noticed(mutant)
        print(f"{'noticed ' if killed else 'SURVIVED'}  {mutant.name}  ({time.monotonic() - began:.0f} s)", flush=True)
        if not killed:
            survivors.append(mutant.name)
    return 1 if survivors else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
