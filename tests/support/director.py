"""Celery Director as PyPI has it: its tests say which flows its test folder has, its `init` what a new project is.

The wheel is unpacked, never run, into `.venv`, where it is installed once a machine. The tasks of its test folder are not in
it: those in tests/data/director are ours, written to do what its tests expect of them.
"""

import ast
import fcntl
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.support.documents import ROOT

TASKS = ROOT / "tests" / "data" / "director" / "tasks"
_RELEASE = "0.10.0"
_HASH = "sha256:58e2bcde6fac9ea23bdd0809c6f5d07bc6af41ec1ec0968ddb2867cf8bca8064"
_UNPACKED = ROOT / ".venv" / f"celery-director-{_RELEASE}"


def definitions() -> list[dict[str, Any]]:
    """The definitions of its test folder, as its test of `/api/definitions` expects them."""
    module = ast.parse((_release() / "tests" / "test_api.py").read_text(encoding="utf-8"))
    [test] = [
        node for node in module.body if isinstance(node, ast.FunctionDef) and node.name == "test_list_definitions"
    ]
    expected = next(node for node in ast.walk(test) if isinstance(node, ast.List))
    found: list[dict[str, Any]] = ast.literal_eval(expected)
    return found


def make_test_folder(folder: Path) -> Path:
    """Its test folder: the flows its tests expect, the schema they hold, and our equivalents of the tasks."""
    flows = {}
    for definition in definitions():
        flow = {key: value for key, value in definition.items() if key not in ("fullname", "project", "name")}
        if "schema" in flow:
            (folder / "schemas" / "example").mkdir(parents=True)
            (folder / "schemas" / "example" / "simple_schema.json").write_text(json.dumps(flow["schema"]))
            flow["schema"] = "example/simple_schema"
        flows[definition["fullname"]] = flow
    (folder / "workflows.yml").write_text(yaml.safe_dump(flows))
    shutil.copytree(TASKS, folder / "tasks")
    return folder


def make_new_project(folder: Path) -> Path:
    """What `director init` writes, with nothing changed but the import line of its tasks."""
    module = ast.parse((_release() / "director" / "commands" / "init.py").read_text(encoding="utf-8"))
    templates = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in module.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    (folder / "tasks").mkdir(parents=True)
    (folder / "workflows.yml").write_text(templates["WORKFLOWS_YML_TEMPLATE"])
    for name in ("ETL", "GROUP"):
        written = templates[f"{name}_PY_TEMPLATE"]
        assert written.count("from director import task") == 1
        changed = written.replace("from director import task", "from durable.flows import task")
        (folder / "tasks" / f"{name.lower()}.py").write_text(changed)
    return folder


def _release() -> Path:
    with (ROOT / ".venv" / ".director.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (_UNPACKED / "tests" / "test_api.py").is_file():
            _install()
    return _UNPACKED


def _install() -> None:
    uv = subprocess.run([ROOT / ".ci" / "uv"], capture_output=True, text=True, check=True).stdout.strip()
    wanted = f"celery-director=={_RELEASE} --hash={_HASH}\n"
    options = [
        "--python",
        sys.executable,
        "--no-deps",
        "--no-build",
        "--require-hashes",
        "--target",
        str(_UNPACKED),
        "--requirements",
        "-",
    ]
    done = subprocess.run([uv, "pip", "install", *options], input=wanted, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (
        f"celery-director {_RELEASE}, whose tests ours are held against, is missing: {done.stderr}"
    )
