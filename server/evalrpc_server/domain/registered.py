"""Registered evaluators: specs kept under a name in immutable versions."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from evalrpc_server.domain.spec.evaluators import EvaluatorSpec


class RegisteredEvaluator(Struct, frozen=True, kw_only=True):
    """One version of a registered evaluator.

    Attributes:
        name: what experiments refer to.
        version: from 1; the same content never makes a new version.
        spec: what it does.
        description: for people.
        create_time: when this version was registered.
    """

    name: str
    version: int
    spec: EvaluatorSpec
    description: str = ""
    create_time: datetime

    @property
    def reference(self) -> str:
        """The exact reference, `name@version`."""
        return f"{self.name}@{self.version}"
