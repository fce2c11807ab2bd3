"""Imports the task files of a folder of flows, as modules of a package of their own: a file may be called time.py."""

import importlib
import importlib.util
import sys
import traceback
from importlib.machinery import ModuleSpec
from pathlib import Path

from durable.flows.errors import Problem
from durable.flows.tasks import forget_tasks_of

PACKAGE = "flow_tasks"
"""The same wherever the folder lies, so that a task has one name on every machine."""


def import_tasks(folder: Path) -> list[Problem]:
    """Import every Python file in `folder`, subfolders included; returns what is wrong with them.

    What was imported from another folder before is forgotten. Files may import each other relatively.
    """
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]
    forget_tasks_of(PACKAGE)
    spec = ModuleSpec(PACKAGE, None, is_package=True)
    spec.submodule_search_locations = [str(folder)]
    sys.modules[PACKAGE] = importlib.util.module_from_spec(spec)
    importlib.invalidate_caches()
    files = sorted(path for path in folder.rglob("*.py") if path.stem != "__init__")
    return [problem for path in files if (problem := _import(path, folder)) is not None]


def _import(path: Path, folder: Path) -> Problem | None:
    module = ".".join((PACKAGE, *path.relative_to(folder).with_suffix("").parts))
    try:
        importlib.import_module(module)
    except SyntaxError as error:
        return Problem(str(path), error.lineno or 1, "", f"{type(error).__name__}: {error.msg}")
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a file of somebody's is run: whatever it raises is told
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        return Problem(str(path), (lines or [None])[-1] or 1, "", f"{type(error).__name__}: {error}")
    return None
