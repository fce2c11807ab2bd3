"""`python -m tests.mutants [NAME …]`: plants each bug in a copy of the project and expects its tests to turn red.

Exits 1 when a bug went unnoticed. The project itself is not touched.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.mutants.catalogue import MUTANTS, ROOT, Edit, mutated

COPIED = ("bot", "config", "docs", "durable", "handlers", "integrations", "tests", "pyproject.toml", "README.md")
LEFT_OUT = shutil.ignore_patterns("node_modules", "__pycache__", ".hypothesis")
TESTS_FAILED = 1


def passes(tests: Sequence[str], edits: Sequence[Edit]) -> bool:
    """Whether these tests pass in a copy of the project with these edits."""
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
        for edit in edits:
            (copy / edit.file).write_text(mutated(edit), encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
        ran = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    if ran.returncode not in (0, TESTS_FAILED):
        raise SystemExit(
            f"{list(tests)}: pytest itself ended with {ran.returncode}\n{ran.stdout[-3000:]}{ran.stderr[-1000:]}"
        )
    return ran.returncode == 0


def main(names: list[str]) -> int:
    """Plant the bugs of these names, or all; returns the exit code."""
    unknown = set(names) - {mutant.name for mutant in MUTANTS}
    if unknown:
        print(f"no mutant is called {', '.join(sorted(unknown))}; there are: {', '.join(m.name for m in MUTANTS)}")
        return 2
    chosen = [mutant for mutant in MUTANTS if not names or mutant.name in names]
    if not passes(sorted({tests for mutant in chosen for tests in mutant.tests}), ()):
        print("the tests fail without any bug planted: mend that first")
        return 1
    survivors = []
    for mutant in chosen:
        began = time.monotonic()
        killed = not passes(mutant.tests, mutant.edits)
        print(f"{'noticed ' if killed else 'SURVIVED'}  {mutant.name}  ({time.monotonic() - began:.0f} s)", flush=True)
        if not killed:
            survivors.append(mutant.name)
    return 1 if survivors else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
