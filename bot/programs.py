"""What operators add to the bot: Python modules with workflows of their own, and flows in YAML.

The tasks of the flows that come with the bot are declared when this module is imported: any folder of flows may use them.
"""

import importlib
import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from config.settings import DEFAULT_FLOWS, SettingsError
from durable.definitions import Workflow
from durable.flows import FlowErrors, Flows
from durable.flows import load as load_flows
from handlers.flows import sweep as _sweep  # noqa: F401 - see above
from handlers.flows import tasks as _tasks  # noqa: F401 - see above

_PACKAGE = "vigil_modules"
"""Begins the names of modules that are files: a file may be called time.py."""


@dataclass(frozen=True)
class Programs:
    """The workflows of the modules, by name, and the flows."""

    workflows: Mapping[str, Workflow[..., Any]] = field(default_factory=dict)
    flows: Flows = field(default_factory=Flows)


def load(modules: tuple[str, ...], flows: Path) -> Programs:
    """Import the modules, then read the flows, which may use the tasks that the modules declare.

    Without the folder that is read by default there are no flows. Raises `SettingsError`: one line for each problem,
    which names the variable and the file.
    """
    workflows: dict[str, Workflow[..., Any]] = {}
    for named in modules:
        for found in _workflows_of(named, _imported(named)):
            if workflows.setdefault(found.name, found) is not found:
                raise _refused(named, f"a second workflow is called {found.name!r}; allowed: names that are unique")
    return Programs(workflows, _flows(flows))


def _flows(folder: Path) -> Flows:
    if folder == Path(DEFAULT_FLOWS) and not folder.exists():
        return Flows()
    try:
        return load_flows(folder)
    except FlowErrors as errors:
        raise SettingsError(tuple(f"VIGIL_FLOWS: {problem}" for problem in errors.problems)) from errors


def _workflows_of(named: str, module: ModuleType) -> list[Workflow[..., Any]]:
    found = {id(value): value for value in vars(module).values() if isinstance(value, Workflow)}
    if not found:
        raise _refused(named, "has no @workflow; allowed: Python files and modules that declare one")
    return list(found.values())


def _imported(named: str) -> ModuleType:
    try:
        if named.endswith(".py"):
            return _imported_file(Path(named))
        return importlib.import_module(named)
    except (Exception, SystemExit) as problem:
        told = " ".join(str(problem).split())
        raise _refused(named, f"cannot be imported ({type(problem).__name__}: {told})") from problem


def _imported_file(path: Path) -> ModuleType:
    name = f"{_PACKAGE}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError("no Python file")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _refused(named: str, reason: str) -> SettingsError:
    return SettingsError((f"VIGIL_MODULES: {named}: {reason}",))
