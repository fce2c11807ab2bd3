"""Values to JSON and back, with tagged types: never pickle, and an unknown type is refused when it is written.

Plain JSON values stand for themselves. Everything else is an object with the single-letter tag key `$`:
`{"$": "datetime", "v": "2026-01-01T00:00:00+00:00"}`. Dataclasses and enums have to be registered by name.
"""

import base64
import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, TypeVar, cast, overload
from uuid import UUID

from durable.errors import NotSerializable, Undecodable

TAG = "$"
MAX_DEPTH = 100

C = TypeVar("C", bound=type)
_registered: dict[str, type] = {}


@overload
def serializable(first: C, /) -> C: ...
@overload
def serializable(first: type, /, *others: type) -> type: ...
def serializable(first: type, /, *others: type) -> type:
    """Register dataclasses and enums by their class name, as a decorator or as a call with several.

    Returns the first. Raises `TypeError` for any other kind of class, and for a second class of the same name.
    A field that was added later needs a default; a field that was removed is dropped from what was stored before.
    """
    for cls in (first, *others):
        if not (dataclasses.is_dataclass(cls) or issubclass(cls, Enum)):
            raise TypeError(f"serializable: {cls.__name__} is neither a dataclass nor an enum")
        known = _registered.setdefault(cls.__name__, cls)
        if known is not cls and (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise TypeError(f"serializable: {cls.__name__} is already registered, by {known.__module__}")
        _registered[cls.__name__] = cls
    return first


def encode(value: Any) -> str:
    """`value` as JSON text. Raises `NotSerializable` with the path to the first culprit. How long a text may be that is
    stored is for `durable.payloads` to say."""
    return json.dumps(_encode(value, "value", 0), separators=(",", ":"), allow_nan=False)


def decode(text: str) -> Any:
    """What `encode` was given, equal to it. Raises `Undecodable`."""
    try:
        return _decode(json.loads(text))
    except Undecodable:
        raise
    except (ValueError, TypeError, KeyError, ArithmeticError, RecursionError) as error:
        raise Undecodable(f"{type(error).__name__}: {error} in {text[:200]}") from error


def _tagged(tag: str, value: Any) -> dict[str, Any]:
    return {TAG: tag, "v": value}


def _encode(value: Any, path: str, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise NotSerializable(f"{path[:200]}: nested deeper than {MAX_DEPTH}")
    kind = type(value)
    if value is None or kind in (bool, int, str):
        return value
    encoder = _encoders.get(kind)
    if encoder is not None:
        return encoder(value, path, depth + 1)
    if _registered.get(kind.__name__) is kind:
        return _encode_registered(value, path, depth + 1)
    remedy = (
        "register it with @durable.serializable" if dataclasses.is_dataclass(kind) or isinstance(value, Enum) else
        "use a dataclass, a plain value, datetime, Decimal, UUID, bytes, list, tuple, set or dict"
    )  # fmt: skip
    raise NotSerializable(f"{path}: {kind.__module__}.{kind.__qualname__} has no form in JSON; {remedy}")


def _encode_registered(value: Any, path: str, depth: int) -> Any:
    name = type(value).__name__
    if isinstance(value, Enum):
        return {TAG: "enum", "of": name, "v": value.name}
    fields = {
        field.name: _encode(getattr(value, field.name), f"{path}.{field.name}", depth)
        for field in dataclasses.fields(value)
        if field.init
    }
    return {TAG: "data", "of": name, "v": fields}


def _encode_float(value: float, _path: str, _depth: int) -> Any:
    return value if math.isfinite(value) else _tagged("float", repr(value))


def _encode_list(value: list[Any], path: str, depth: int) -> list[Any]:
    return [_encode(item, f"{path}[{index}]", depth) for index, item in enumerate(value)]


def _encode_set(value: Any, path: str, depth: int) -> list[Any]:
    members = (_encode(item, f"{path}{{…}}", depth) for item in value)
    return sorted(members, key=lambda member: json.dumps(member, sort_keys=True))


def _encode_dict(value: Mapping[Any, Any], path: str, depth: int) -> Any:
    if TAG not in value and all(type(key) is str for key in value):
        return {key: _encode(item, f"{path}[{key!r}]", depth) for key, item in value.items()}
    pairs = [
        [_encode(key, f"{path}.key", depth), _encode(item, f"{path}[{key!r}]", depth)] for key, item in value.items()
    ]
    return _tagged("dict", pairs)


_encoders: dict[type, Callable[[Any, str, int], Any]] = {
    float: _encode_float,
    list: _encode_list,
    dict: _encode_dict,
    tuple: lambda value, path, depth: _tagged("tuple", _encode_list(list(value), path, depth)),
    set: lambda value, path, depth: _tagged("set", _encode_set(value, path, depth)),
    frozenset: lambda value, path, depth: _tagged("frozenset", _encode_set(value, path, depth)),
    bytes: lambda value, _path, _depth: _tagged("bytes", base64.b64encode(value).decode("ascii")),
    datetime: lambda value, _path, _depth: _tagged("datetime", value.isoformat()),
    date: lambda value, _path, _depth: _tagged("date", value.isoformat()),
    timedelta: lambda value, _path, _depth: _tagged("timedelta", [value.days, value.seconds, value.microseconds]),
    Decimal: lambda value, _path, _depth: _tagged("decimal", str(value)),
    UUID: lambda value, _path, _depth: _tagged("uuid", str(value)),
}


def _refuse_missing(hash_: str) -> Any:
    raise Undecodable(f"the content {hash_} is missing from the stored payloads")


_decoders: dict[str, Callable[[Any], Any]] = {
    "float": float,
    "dict": lambda pairs: {_decode(key): _decode(item) for key, item in pairs},
    "tuple": lambda items: tuple(_decode(item) for item in items),
    "set": lambda items: {_decode(item) for item in items},
    "frozenset": lambda items: frozenset(_decode(item) for item in items),
    "bytes": lambda text: base64.b64decode(text, validate=True),
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "timedelta": lambda parts: timedelta(*parts),
    "decimal": Decimal,
    "uuid": UUID,
    "stored": _refuse_missing,
}


def _decode(value: Any) -> Any:
    if isinstance(value, list):
        return [_decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    if TAG not in value:
        return {key: _decode(item) for key, item in value.items()}
    if value[TAG] in ("data", "enum"):
        return _decode_registered(value)
    decoder = _decoders.get(value[TAG])
    if decoder is None:
        raise Undecodable(f"unknown type tag {value[TAG]!r}; a newer release may have written it")
    return decoder(value["v"])


def _decode_registered(value: dict[str, Any]) -> Any:
    cls = _registered.get(value["of"])
    if cls is None:
        raise Undecodable(f"{value['of']} is not registered; register it with @durable.serializable")
    if issubclass(cls, Enum):
        return cls[value["v"]]
    known = {field.name for field in dataclasses.fields(cast(Any, cls)) if field.init}
    fields = {name: _decode(item) for name, item in value["v"].items() if name in known}
    return cast(Any, cls)(**fields)
