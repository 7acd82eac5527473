"""How builtins are described and found."""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from msgspec import Struct

from evalrpc_server.domain.results import ItemResult
from evalrpc_server.evaluators.builtin.params import Params
from evalrpc_server.evaluators.builtin.subject import Subject
from evalrpc_server.evaluators.builtin.verdicts import Verdict
from evalrpc_server.evaluators.port import Evaluator
from evalrpc_server.outbound.outbound import Outbound

EXTRAS = {"text": "sacrebleu", "sql": "sqlglot", "autoevals": "autoevals"}
"""Optional dependencies of the distribution, each with the module that it brings."""


class Level(StrEnum):
    """What a builtin judges: one item, or a whole run."""

    ITEM = "item"
    RUN = "run"


class Gives(StrEnum):
    """What kind of value a builtin gives."""

    BOOLEAN = "boolean"
    SCORE = "score"  # a number from 0 (worst) to 1 (best)
    NUMBER = "number"  # a measure with a unit of its own
    LABEL = "label"


class Fold(Protocol):
    """A run-level builtin at work: takes the results in chunks, in memory that does not grow with their size."""

    def add(self, results: Sequence[ItemResult]) -> None:
        """Takes in the next results."""

    def verdict(self) -> Verdict:
        """Returns what the results come to.

        Raises:
            Unscored: they come to nothing.
        """


class Builtin(Struct, frozen=True, kw_only=True):
    """A builtin.

    Attributes:
        name: how specs refer to it.
        version: raised whenever the same output would be judged otherwise than before.
        level: what it judges.
        gives: what kind of value it gives.
        description: for people; Markdown, the first sentence is a summary.
        params: the model of its parameters.
        judge: the function, for an item-level builtin.
        fold: makes a fold from parameters, for a run-level builtin.
        open: makes the evaluator from parameters, the name of its evaluations and the way to models, for an item-level
            builtin that calls some.
        extra: the optional dependencies of the distribution that it needs; empty for none.
    """

    name: str
    version: int
    level: Level
    gives: Gives
    description: str
    params: type[Params]
    judge: Callable[[Any, Subject], Verdict] | None = None
    fold: Callable[[Any], Fold] | None = None
    open: Callable[[Any, str, Outbound], Evaluator] | None = None
    extra: str = ""

    @property
    def installed(self) -> bool:
        """Whether the optional dependencies that it needs are there."""
        return not self.extra or importlib.util.find_spec(EXTRAS[self.extra]) is not None

    @property
    def reference(self) -> str:
        """Who judges, as evaluations name it: `builtin/contains@1`."""
        return f"builtin/{self.name}@{self.version}"


registered: dict[str, Builtin] = {}
"""All builtins by name, filled by the decorators below when `table` is imported."""

P = TypeVar("P", bound=Params)
E = TypeVar("E", bound=Evaluator)
Judge = Callable[[P, Subject], Verdict]


def item_builtin(
    params: type[P], *, gives: Gives, version: int = 1, extra: str = ""
) -> Callable[[Judge[P]], Judge[P]]:
    """Registers the function below as an item-level builtin of the same name; its docstring is the description."""

    def register(function: Judge[P]) -> Judge[P]:
        name = function.__name__
        _register(
            Builtin(
                name=name,
                version=version,
                level=Level.ITEM,
                gives=gives,
                description=inspect.getdoc(function) or "",
                params=params,
                judge=function,
                extra=extra,
            )
        )
        return function

    return register


def calling_builtin(
    name: str, params: type[P], *, gives: Gives, version: int = 1, extra: str = ""
) -> Callable[[type[E]], type[E]]:
    """Registers the evaluator below, which calls models, as an item-level builtin; its docstring is the description."""

    def register(evaluator: type[E]) -> type[E]:
        _register(
            Builtin(
                name=name,
                version=version,
                level=Level.ITEM,
                gives=gives,
                description=inspect.getdoc(evaluator) or "",
                params=params,
                open=evaluator,
                extra=extra,
            )
        )
        return evaluator

    return register


def run_builtin(
    name: str, params: type[P], *, gives: Gives, version: int = 1
) -> Callable[[type[Fold]], type[Fold]]:
    """Registers the fold class below as a run-level builtin; its docstring is the description."""

    def register(fold: type[Fold]) -> type[Fold]:
        _register(
            Builtin(
                name=name,
                version=version,
                level=Level.RUN,
                gives=gives,
                description=inspect.getdoc(fold) or "",
                params=params,
                fold=fold,
            )
        )
        return fold

    return register


def _register(builtin: Builtin) -> None:
    assert builtin.name not in registered, f"two builtins are called {builtin.name}"
    registered[builtin.name] = builtin
