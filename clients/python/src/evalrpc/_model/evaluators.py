"""Evaluators as the server lists them, and uploads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from evalrpc.v1 import evaluator_pb2


@dataclass(frozen=True, slots=True)
class RegisteredEvaluator:
    """One version of a registered evaluator. Versions never change.

    Attributes:
        name: the name it is registered under.
        version: from 1.
        spec: what it does.
        description: what it is for.
        create_time: when this version was registered.
    """

    name: str
    version: int
    spec: evaluator_pb2.EvaluatorSpec
    description: str | None = None
    create_time: datetime | None = None

    def __str__(self) -> str:
        """The name and version, as `registered()` takes them: "accuracy@3"."""
        return f"{self.name}@{self.version}"


@dataclass(frozen=True, slots=True)
class BuiltinEvaluator:
    """One of the server's own evaluators.

    Attributes:
        name: what `builtin()` takes.
        level: whether it looks at one item's result or at all results of a run.
        description: what it computes.
        params_schema: the JSON Schema of its parameters.
    """

    name: str
    level: Literal["item", "run"]
    description: str = ""
    params_schema: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Upload:
    """Items stored on the server, for any number of experiments."""

    id: str
    item_count: int
