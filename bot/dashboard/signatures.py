"""What a workflow is given, by the signature of its function: as a form, and checked. Pure."""

import inspect
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, get_type_hints

from pydantic import PydanticSchemaGenerationError, PydanticUserError, TypeAdapter, ValidationError

from bot.dashboard.fields import MOST_FIELDS, Field, Form, field_of
from durable.errors import NotSerializable
from durable.serde import encode

_VARYING = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_MOST_TOLD = 300
_NO_DEFAULT = inspect.Parameter.empty


class WrongArguments(Exception):
    """Arguments that do not fit. `errors` says why, by the parameter's name, which is empty for the whole."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {told}" for name, told in errors.items()))
        self.errors = errors


@dataclass(frozen=True)
class Parameter:
    """One parameter: its name, its type as it is written, whether it may be left out."""

    name: str
    type: str
    is_optional: bool


def parameters_of(function: Callable[..., Any]) -> list[Parameter]:
    """The parameters, in their order."""
    stars: dict[Any, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    return [
        Parameter(
            stars.get(parameter.kind, "") + name,
            _written(parameter.annotation),
            parameter.default is not _NO_DEFAULT or parameter.kind in _VARYING,
        )
        for name, parameter in inspect.signature(function).parameters.items()
    ]


def form_of_function(function: Callable[..., Any]) -> Form:
    """The form for its arguments: an object with one value for each parameter."""
    parameters = inspect.signature(function).parameters
    if len(parameters) > MOST_FIELDS or any(parameter.kind in _VARYING for parameter in parameters.values()):
        return Form(raw="{}")
    types = _types(function)
    fields = tuple(_field(name, parameter, types.get(name)) for name, parameter in parameters.items())
    return Form(fields, raw="" if fields else "{}")


def bound(function: Callable[..., Any], given: Any) -> inspect.BoundArguments:
    """The arguments of a call, from values by the names of the parameters. Raises `WrongArguments`."""
    if not isinstance(given, dict):
        raise WrongArguments({"": "has to be an object with a value for each parameter"})
    types, errors, values = _types(function), {}, {}
    for name, value in given.items():
        try:
            values[name] = _checked(types.get(name), value)
        except ValueError as problem:
            errors[name] = str(problem)
    if errors:
        raise WrongArguments(errors)
    signature = inspect.signature(function)
    first = [name for name, parameter in signature.parameters.items() if parameter.kind is parameter.POSITIONAL_ONLY]
    by_place = [values.pop(name) for name in first if name in values]
    try:
        found = signature.bind(*by_place, **values)
        encode([list(found.args), found.kwargs])
    except (TypeError, NotSerializable, RecursionError) as problem:
        raise WrongArguments({"": str(problem)[:_MOST_TOLD]}) from problem
    return found


def _field(name: str, parameter: inspect.Parameter, adapter: "TypeAdapter[Any] | None") -> Field:
    schema: dict[str, Any] = {}
    if adapter is not None:
        with suppress(PydanticUserError, ValueError, TypeError, KeyError, RecursionError):
            schema = adapter.json_schema()
    default = parameter.default
    if default is not _NO_DEFAULT and isinstance(default, bool | int | float | str):
        schema = {**schema, "default": default}
    made = field_of(name, schema, required=default is _NO_DEFAULT)
    # The name of a type is no more than its class's; how the type is written says more.
    written = _written(parameter.annotation)
    return replace(made, note=written if made.note in ("", schema.get("title")) else f"{written}; {made.note}")


def _types(function: Callable[..., Any]) -> dict[str, "TypeAdapter[Any]"]:
    """What checks each parameter; without those whose type nobody can check."""
    try:
        hints = get_type_hints(function)
    except (NameError, TypeError, AttributeError):
        return {}
    adapters = {}
    for name, hint in hints.items():
        with suppress(PydanticSchemaGenerationError, PydanticUserError, TypeError, RecursionError):
            adapters[name] = TypeAdapter(hint)
    return adapters


def _checked(adapter: "TypeAdapter[Any] | None", value: Any) -> Any:
    """The value as the type has it. Raises `ValueError` with what is wrong in a line."""
    if adapter is None:
        return value
    try:
        return adapter.validate_python(value)
    except ValidationError as problem:
        told = [
            f"{'.'.join(map(str, error['loc']))}: {error['msg']}" if error["loc"] else error["msg"]
            for error in problem.errors(include_url=False, include_context=False, include_input=False)
        ]
        raise ValueError("; ".join(told)[:_MOST_TOLD]) from problem
    except (TypeError, AttributeError, ArithmeticError, RecursionError) as problem:  # of a class's own checks
        raise ValueError(f"{type(problem).__name__}: {problem}"[:_MOST_TOLD]) from problem


def _written(annotation: Any) -> str:
    """A type as people write it."""
    if annotation is inspect.Parameter.empty:
        return "any"
    if isinstance(annotation, type) and not hasattr(annotation, "__args__"):
        return annotation.__name__
    return str(annotation).replace("typing.", "")
