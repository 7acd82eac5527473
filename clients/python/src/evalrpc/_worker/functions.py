"""Functions as a worker hosts them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, TypeAlias

from evalrpc.v1 import worker_pb2

Function: TypeAlias = Callable[..., Any]
"""A function of the user's, plain or a coroutine function; it takes keyword arguments."""

Functions: TypeAlias = Iterable[Function] | Mapping[str, Function]
"""Functions under their own names, or under names of the user's choice."""


class Kind(Enum):
    """What a function does."""

    TASK = auto()
    EVALUATOR = auto()
    RUN_EVALUATOR = auto()

    @property
    def offered(self) -> tuple[str, ...]:
        """The keyword arguments that functions of this kind are called with, if they take them."""
        return _OFFERED[self]

    @property
    def number(self) -> worker_pb2.FunctionKind.ValueType:
        """The kind in the contract."""
        return worker_pb2.FunctionKind.Value(f"FUNCTION_KIND_{self.name}")


_OFFERED = {
    Kind.TASK: ("item", "trial", "attempt", "experiment", "trace_context"),
    Kind.EVALUATOR: (
        "input", "output", "expected_output", "metadata", "evaluations", "contexts", "usage", "task_duration",
        "item_id", "trial", "experiment", "trace_context",
    ),
    Kind.RUN_EVALUATOR: ("item_results", "experiment"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class HostedFunction:
    """A function with what the worker knows of it.

    Attributes:
        accepts: the keyword arguments that it takes; None for any.
        asynchronous: whether it is a coroutine function.
    """

    name: str
    kind: Kind
    function: Function
    accepts: frozenset[str] | None
    asynchronous: bool

    def call(self, offered: Mapping[str, Any]) -> Any:
        """Calls it with those of the arguments that it takes."""
        if self.accepts is None:
            return self.function(**offered)
        return self.function(**{name: offered[name] for name in self.accepts if name in offered})

    def to_message(self) -> worker_pb2.HostedFunction:
        """Returns it as the worker introduces it."""
        description = inspect.getdoc(self.function) if inspect.isroutine(self.function) else None
        return worker_pb2.HostedFunction(
            name=self.name, kind=self.kind.number, description=(description or "")[:10_000]
        )


def hosted(function: Function, kind: Kind, name: str | None = None) -> HostedFunction:
    """Returns a function as it is hosted.

    Raises:
        TypeError: it cannot be called, or asks for something that functions of its kind are not given.
    """
    if not callable(function):
        raise TypeError(f"a worker hosts functions, not a {type(function).__name__}")
    own = name or name_of(function)
    accepts = _accepted(function, own, kind)
    asynchronous = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        type(function).__call__
    )
    return HostedFunction(own, kind, function, accepts, asynchronous)


def all_hosted(functions: Functions, kind: Kind) -> list[HostedFunction]:
    """Returns functions as they are hosted."""
    if isinstance(functions, Mapping):
        return [hosted(function, kind, name) for name, function in functions.items()]
    return [hosted(function, kind) for function in functions]


def name_of(function: Function) -> str:
    """Returns what a function is called."""
    inner = getattr(function, "func", function)  # of a functools.partial
    return getattr(inner, "__name__", None) or type(inner).__name__


def _accepted(function: Function, name: str, kind: Kind) -> frozenset[str] | None:
    """Returns the keyword arguments that a function takes, or None for any."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # a builtin that does not tell
        return None
    keywords = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    for parameter in parameters:
        needed = parameter.default is parameter.empty and parameter.kind not in _VARIADIC
        if needed and (parameter.kind not in keywords or parameter.name not in kind.offered):
            what = kind.name.lower().replace("_", " ")
            raise TypeError(
                f"{name} asks for {parameter.name!r}; {what}s are given the keyword arguments {', '.join(kind.offered)}"
            )
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    return frozenset(parameter.name for parameter in parameters if parameter.kind in keywords)


_VARIADIC = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
