"""What an evaluator can be. One model per kind; a new kind is a new model here and a new evaluator that serves it."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from evalrpc_server.domain.spec.fields import GrpcAddress, Headers, HttpUrl, Name, Seconds, SpecModel
from evalrpc_server.domain.spec.judges import JudgeEvaluator

_REGISTERED = re.compile(r"[^@\s\x00][^@\x00]*(@[1-9][0-9]{0,8})?")


class BuiltinEvaluator(SpecModel):
    """One of the server's own evaluators, by name, with its parameters."""

    name: str
    params: dict[str, Any] = Field(default_factory=dict)


class HttpEvaluator(SpecModel):
    """An HTTP endpoint that takes an item with its output by POST and answers with evaluations."""

    url: HttpUrl
    headers: Headers


class GrpcEvaluator(SpecModel):
    """A gRPC endpoint that implements `evalrpc.v1.EvaluationService`."""

    target: GrpcAddress
    tls: bool = False
    metadata: Headers
    evaluator: str = ""


class ExpressionEvaluator(SpecModel):
    """A CEL expression over an item and its output."""

    expression: str = Field(min_length=1, max_length=10_000)


class WorkerEvaluator(SpecModel):
    """An evaluator function that a connected worker hosts."""

    function: Name


def _registered(value: str) -> str:
    if not _REGISTERED.fullmatch(value):
        raise PydanticCustomError("registered", "must be a registered name, or name@version as in accuracy@3")
    return value


EVALUATOR_KINDS = ("builtin", "http", "grpc", "judge", "expression", "worker", "registered")
"""The fields of `EvaluatorSpec` of which exactly one is set."""


class EvaluatorSpec(SpecModel):
    """An evaluator as a caller describes it; exactly one kind.

    Attributes:
        name: the name of its evaluations; default: the name of the builtin or the registered evaluator.
        timeout: seconds for one call; default: the experiment's `evaluator_timeout`.
        max_concurrency: calls in flight at once; default: the experiment's `max_concurrency`.
    """

    name: str = ""
    builtin: BuiltinEvaluator | None = None
    http: HttpEvaluator | None = None
    grpc: GrpcEvaluator | None = None
    judge: JudgeEvaluator | None = None
    expression: ExpressionEvaluator | None = None
    worker: WorkerEvaluator | None = None
    registered: Annotated[str, AfterValidator(_registered)] | None = None
    timeout: Seconds | None = None
    max_concurrency: int | None = Field(default=None, ge=1, le=10_000)

    @model_validator(mode="after")
    def _one_kind(self) -> EvaluatorSpec:
        given = [kind for kind in EVALUATOR_KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            problem = "none is" if not given else f"{' and '.join(given)} are"
            raise PydanticCustomError(
                "one_of", f"must set exactly one of {', '.join(EVALUATOR_KINDS)}; {problem} set"
            )
        if not self.name.strip() and self.kind not in {"builtin", "registered"}:
            raise PydanticCustomError("name", "must have a name: it names the evaluations in the results")
        return self

    @property
    def kind(self) -> str:
        """The name of the kind that is set."""
        return next(kind for kind in EVALUATOR_KINDS if getattr(self, kind) is not None)

    @property
    def evaluation_name(self) -> str:
        """The name that its evaluations have unless the evaluator names them itself."""
        if self.name:
            return self.name
        return self.builtin.name if self.builtin else (self.registered or "").partition("@")[0]
