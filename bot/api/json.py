"""JSON as it comes in, within limits, and as it goes out, whatever a workflow returned."""

import base64
import dataclasses
import json
import math
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from starlette.responses import JSONResponse

from durable.payloads import Stored

MOST_BYTES = 8 * 1024 * 1024
MOST_DEPTH = 64


class JsonResponse(JSONResponse):
    """JSON in ASCII: a lone surrogate, which no UTF-8 can hold, stays what it was."""

    def render(self, content: Any) -> bytes:
        """The bytes of the body."""
        return json.dumps(content, separators=(",", ":"), allow_nan=False).encode("ascii")


def read_json(body: bytes) -> Any:
    """The value of a body. Raises `ValueError` for what is no JSON, or nested deeper than `MOST_DEPTH`."""
    try:
        value = json.loads(body, parse_constant=_refuse_constant)
    except RecursionError as problem:
        raise ValueError(f"nested deeper than {MOST_DEPTH}") from problem
    level, depth = [value], 0
    while level := [inner for item in level for inner in _inside(item)]:
        depth += 1
        if depth > MOST_DEPTH:
            raise ValueError(f"nested deeper than {MOST_DEPTH}")
    return value


def json_of(value: Any) -> Any:
    """A value of a workflow's as plain JSON, for people and programs to read; it is not read back."""
    if value is None or (isinstance(value, bool | int | str) and not isinstance(value, Enum)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Stored):
        return f"({value.characters} characters; ask for this one alone)"
    if isinstance(value, Mapping):
        return {key if isinstance(key, str) else str(json_of(key)): json_of(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [json_of(item) for item in value]
    return _json_of_special(value)


def _json_of_special(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.name
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: json_of(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal | UUID):
        return str(value)
    return repr(value)


def _inside(item: Any) -> list[Any]:
    if isinstance(item, dict):
        return list(item.values())
    return item if isinstance(item, list) else []


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
