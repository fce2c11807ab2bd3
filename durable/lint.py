"""Finds in the source of a workflow what runs at each of its waits, although it looks as if it ran once.

A wait leaves the code by an exception, and a wake runs it again from the top. On the way out durable verbs do nothing,
but plain code in `finally`, in the exit of a `with` and in an `except` that catches everything runs: at each wait.
"""

import ast
import builtins
import contextlib
import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from durable.definitions import Activity, Workflow
from durable.fanout import Child

INSTEAD = "it runs at each wait, not only at the end; put it into an activity"
_HARMLESS_EXITS = (contextlib.suppress, contextlib.nullcontext)
_LEAVES = (ast.Expr, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Delete, ast.Return)
_UNKNOWN = object()


@dataclass(frozen=True)
class Finding:
    """A place in a workflow's code, and what is wrong there."""

    workflow: str
    file: str
    line: int
    problem: str

    def __str__(self) -> str:
        """In one line, as tools print it."""
        return f"{self.file}:{self.line}: workflow {self.workflow}: {self.problem}"


def findings(workflow: Workflow[..., Any]) -> Sequence[Finding]:
    """What this looks for, in the order of the lines; nothing where there is no source. Only the workflow's own body is
    read, not the functions that it calls."""
    return _findings(inspect.unwrap(workflow.function))


@cache
def _findings(function: Callable[..., Any]) -> tuple[Finding, ...]:
    try:
        lines, first = inspect.getsourcelines(function)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError):
        return ()
    file = inspect.getsourcefile(function) or "?"
    known = _names_of(function)
    found = {(first + line - 1, problem) for line, problem in _problems(tree, known)}
    return tuple(Finding(function.__name__, file, line, problem) for line, problem in sorted(found))


def _problems(tree: ast.AST, known: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Try) and _waits(node.body, known):
            for leaf in _leaves(node.finalbody):
                if _is_plain(leaf, known):
                    yield leaf.lineno, f"plain code in a finally: {INSTEAD}"
            for handler in node.handlers:
                if _catches_all(handler, known) and not _raises(handler):
                    yield handler.lineno, "an except that catches a wait, too: name Exception, or Cancelled"
        if isinstance(node, ast.With) and _waits(node.body, known):
            for item in node.items:
                if _value(item.context_expr, known) not in _HARMLESS_EXITS:
                    yield item.context_expr.lineno, f"the exit of this with: {INSTEAD}"


def _waits(body: Sequence[ast.stmt], known: Mapping[str, Any]) -> bool:
    """Whether one of these statements calls a durable verb or an activity."""
    calls = (node for statement in body for node in ast.walk(statement) if isinstance(node, ast.Call))
    return any(_is_durable(_value(call.func, known)) for call in calls)


def _leaves(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that do something, whatever they stand in."""
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, _LEAVES):
                yield node


def _is_plain(leaf: ast.stmt, known: Mapping[str, Any]) -> bool:
    """Whether a statement touches something that outlives the wait, by itself or by a call that is not durable."""
    targets = leaf.targets if isinstance(leaf, ast.Assign | ast.Delete) else [getattr(leaf, "target", None)]
    if any(isinstance(target, ast.Attribute | ast.Subscript) for target in targets):
        return True
    calls = [node for node in ast.walk(leaf) if isinstance(node, ast.Call)]
    return any(not _is_durable(value) and not _is_pure(value) for value in (_value(call.func, known) for call in calls))


def _is_durable(value: Any) -> bool:
    if isinstance(value, Activity | Workflow) or value is Child.result:
        return True
    return callable(value) and str(getattr(value, "__module__", "")).partition(".")[0] == "durable"


def _is_pure(value: Any) -> bool:
    """Whether it is a type, e.g. of a value that is put together, or a harmless function of Python's own."""
    return isinstance(value, type) or value in (len, sorted, sum, min, max, str, repr, round, abs, any, all)


def _catches_all(handler: ast.ExceptHandler, known: Mapping[str, Any]) -> bool:
    return handler.type is None or _value(handler.type, known) is BaseException


def _raises(handler: ast.ExceptHandler) -> bool:
    return any(isinstance(node, ast.Raise) for statement in handler.body for node in ast.walk(statement))


def _names_of(function: Callable[..., Any]) -> dict[str, Any]:
    """What names mean in a function's body, but for its own variables."""
    try:
        nonlocals = dict(inspect.getclosurevars(function).nonlocals)
    except ValueError:  # a variable of the surrounding function that has no value yet
        nonlocals = {}
    code: Any = function
    own = set(code.__code__.co_varnames)
    everything = vars(builtins) | code.__globals__ | nonlocals
    return {name: value for name, value in everything.items() if name not in own}


def _value(expression: ast.expr, known: Mapping[str, Any]) -> Any:
    """What an expression stands for, as far as names and attributes tell; of a call, what is called."""
    match expression:
        case ast.Name(id=name):
            return known.get(name, _UNKNOWN)
        case ast.Attribute(value=inner, attr="result") if _value(inner, known) is _UNKNOWN:
            return Child.result
        case ast.Attribute(value=inner, attr=name):
            return getattr(_value(inner, known), name, _UNKNOWN)
        case ast.Call(func=called):
            return _value(called, known)
    return _UNKNOWN
