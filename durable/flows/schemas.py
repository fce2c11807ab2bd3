"""JSON Schemas: read from their files, tried before they are used, and held against payloads. Nothing is fetched."""

import json
from pathlib import Path
from typing import Any

from jsonschema.exceptions import SchemaError
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for
from referencing import Registry

from durable.flows.document import Spot
from durable.flows.errors import Problem

LARGEST = 1024 * 1024
MOST_ERRORS = 20


def errors_of(schema: dict[str, Any], payload: Any) -> list[str]:
    """What is wrong with a payload, in the words Celery Director uses; empty when it fits."""
    try:
        found = _validator(schema).iter_errors(payload)
        return [error.message[:500] for error, _ in zip(found, range(MOST_ERRORS), strict=False)]
    except Exception as problem:  # noqa: BLE001 - a schema can fail its library in many ways: each refuses the payload
        return [f"the schema cannot be used: {_first_line(problem)}"]


def read_schema(folder: Path, spot: Spot) -> dict[str, Any] | None:
    """The schema `spot` names: `a/b` is `a/b.json` in the folder. Notes what is wrong with it, in its file or here."""
    named = spot.text("the path of a schema in the folder schemas, without .json")
    if named is None:
        return None
    path = folder / f"{named}.json"
    if ".." in Path(named).parts or Path(named).is_absolute() or not named.isprintable():
        spot.refuse(f"{named!r} leads out of {folder}")
        return None
    if not path.is_file():
        spot.refuse(f"there is no {path}")
        return None
    problem = _unusable(path)
    if isinstance(problem, Problem):
        spot.problems.append(problem)
        return None
    return problem


def _unusable(path: Path) -> Problem | dict[str, Any]:
    """The schema in a file, or what is wrong with it."""
    try:
        schema = json.loads(path.read_bytes()[: LARGEST + 1].decode(), parse_constant=_refuse_constant)
    except json.JSONDecodeError as problem:
        return Problem(str(path), problem.lineno, "", f"not JSON: {problem.msg}")
    except (OSError, ValueError, RecursionError) as problem:
        return Problem(str(path), 1, "", f"not JSON: {_first_line(problem)}")
    if not isinstance(schema, dict):
        return Problem(str(path), 1, "", "not a JSON Schema; allowed: an object")
    try:
        validator = _validator(schema)
        validator.check_schema(schema, format_checker=validator.FORMAT_CHECKER)  # type: ignore[call-arg] # it takes it
        for _ in validator.iter_errors({}):
            pass
    except SchemaError as problem:
        return Problem(str(path), 1, problem.json_path, f"not a JSON Schema: {problem.message[:300]}")
    except Exception as problem:  # noqa: BLE001 - as in errors_of
        return Problem(str(path), 1, "", f"not a JSON Schema: {_first_line(problem)}")
    return schema


def _validator(schema: dict[str, Any]) -> Validator:
    """Without a registry of its own jsonschema would fetch what a schema refers to."""
    return validator_for(schema)(schema, registry=Registry())


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number in JSON")


def _first_line(problem: BaseException) -> str:
    return f"{type(problem).__name__}: {problem}".partition("\n")[0][:300]
