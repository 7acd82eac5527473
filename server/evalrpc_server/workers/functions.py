"""The functions that workers host."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from evalrpc_server.domain.documents import Document


class FunctionKind(StrEnum):
    """What a hosted function does."""

    TASK = "TASK"
    EVALUATOR = "EVALUATOR"
    RUN_EVALUATOR = "RUN_EVALUATOR"


class FunctionRef(Struct, frozen=True):
    """What a call asks for: a name, as a certain kind."""

    name: str
    kind: FunctionKind


class HostedFunction(Struct, frozen=True, kw_only=True):
    """A function as a worker introduces it; `input_schema` is a JSON Schema, None for any input."""

    name: str
    kind: FunctionKind
    description: str = ""
    input_schema: Document | None = None

    @property
    def ref(self) -> FunctionRef:
        """What calls of it ask for."""
        return FunctionRef(self.name, self.kind)
