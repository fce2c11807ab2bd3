"""What a workflow or a step was given, under the names that its code gives to it: so it can be read, and a password that
was given by its position is hidden like any other."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from durable.definitions import Workflow, registered_activities
from durable.errors import Undecodable
from durable.model import MEMBER_MARK, Entry
from durable.serde import decode

_BY_POSITION = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Arguments:
    """Knows the parameters of the `workflows` given, and of every activity that was declared."""

    def __init__(self, workflows: Mapping[str, Workflow[..., Any]]) -> None:
        self._of_workflows = {name: _positions(declared.function) for name, declared in workflows.items()}
        self._of_activities: dict[str, tuple[str, ...]] = {}
        for spec in registered_activities():
            # A transaction gets its connection first, which nobody gives it.
            names = _positions(spec.function)[1 if spec.transactional else 0 :]
            is_other = self._of_activities.get(spec.name, names) != names
            self._of_activities[spec.name] = () if is_other else names
            function = spec.function
            member = f"{MEMBER_MARK}{function.__module__}.{getattr(function, '__qualname__', '')}"
            self._of_workflows[member] = names

    def of_run(self, name: str, encoded: str) -> Any:
        """What a run of the workflow `name` was given."""
        return _named(encoded, self._of_workflows.get(name, ()))

    def of_step(self, entry: Entry) -> Any:
        """What a step was given; None for nothing."""
        names = self._of_activities.get(entry.name, ()) if entry.kind == "activity" else ()
        return None if entry.arguments is None else _named(entry.arguments, names)


def _positions(function: Callable[..., Any]) -> tuple[str, ...]:
    """The names of the parameters that may be given by position; none for what is no plain function."""
    if not inspect.isfunction(function):
        return ()
    parameters = inspect.signature(function).parameters.values()
    return tuple(parameter.name for parameter in parameters if parameter.kind in _BY_POSITION)


def _named(encoded: str, names: tuple[str, ...]) -> Any:
    """The arguments by name, as far as the names go; without names one value alone, several in a list."""
    try:
        found = decode(encoded)
    except Undecodable:
        return encoded
    match found:
        case [[*given], {**named}] if given and len(given) <= len(names):
            return dict(zip(names, given, strict=False)) | named
        case [[], {**named}]:
            return named or None
        case [[alone], {**named}] if not named:
            return alone
        case [[*given], {**named}]:
            return {"by position": given, **named} if named else given
    return found
