"""The spec of an experiment from and to its message.

The pydantic models have the names and the nesting of the messages, so both ways go through protobuf's JSON mapping, and
pydantic's places are the paths that callers know.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from google.protobuf import json_format
from google.protobuf.message import Message
from pydantic import BaseModel, ValidationError

from evalrpc.v1 import evaluator_pb2, experiment_spec_pb2
from evalrpc_server.domain.errors import Violation
from evalrpc_server.domain.spec.evaluators import EvaluatorSpec
from evalrpc_server.domain.spec.experiment import ExperimentSpec

_Model = TypeVar("_Model", bound=BaseModel)

_CREDENTIALS = frozenset(
    {"authorization", "proxy-authorization", "cookie", "x-api-key", "api-key", "x-auth-token"}
)


def spec_from_message(
    message: experiment_spec_pb2.ExperimentSpec, *, item_count: int | None, path: str
) -> tuple[ExperimentSpec | None, list[Violation]]:
    """Reads a spec, and everything that is wrong with it.

    Args:
        message: the spec, its inline items taken out.
        item_count: how many inline items came with it; None where the data comes from elsewhere.
        path: where it stands in the request, for violations.
    """
    fields = _to_dict(message)
    if item_count is not None:
        fields["items"] = {"count": item_count}
    return _validate(ExperimentSpec, fields, path)


def evaluator_from_message(
    message: evaluator_pb2.EvaluatorSpec, *, path: str
) -> tuple[EvaluatorSpec | None, list[Violation]]:
    """Reads an evaluator's spec, and everything that is wrong with it."""
    return _validate(EvaluatorSpec, _to_dict(message), path)


def spec_to_message(spec: ExperimentSpec) -> experiment_spec_pb2.ExperimentSpec:
    """Writes a spec with its defaults filled in; inline items are left out, and literal credentials are not shown."""
    fields = spec.model_dump(mode="json", exclude_none=True, exclude={"items"})
    return json_format.ParseDict(_redacted(fields), experiment_spec_pb2.ExperimentSpec())


def evaluator_to_message(spec: EvaluatorSpec) -> evaluator_pb2.EvaluatorSpec:
    """Writes an evaluator's spec; literal credentials are not shown."""
    fields = spec.model_dump(mode="json", exclude_none=True)
    return json_format.ParseDict(_redacted(fields), evaluator_pb2.EvaluatorSpec())


def _to_dict(message: Message) -> dict[str, Any]:
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def _validate(
    model: type[_Model], fields: Mapping[str, Any], path: str
) -> tuple[_Model | None, list[Violation]]:
    try:
        return model.model_validate(fields), []
    except ValidationError as error:
        return None, [
            Violation(_place(path, problem["loc"]), _description(problem["type"], problem["msg"]))
            for problem in error.errors(include_url=False, include_context=False, include_input=False)
        ]


def _place(path: str, location: tuple[int | str, ...]) -> str:
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return path


def _description(kind: str, message: str) -> str:
    if kind == "missing":
        return "is required"
    if kind == "extra_forbidden":
        return "is not supported by this server"
    return message.replace("Input should be", "must be").replace("Input should have", "must have")


def _redacted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _redacted_entry(key, entry) for key, entry in value.items()}
    return [_redacted(entry) for entry in value] if isinstance(value, list) else value


def _redacted_entry(key: str, entry: Any) -> Any:
    if key.lower() in _CREDENTIALS and isinstance(entry, str) and "${secret:" not in entry:
        return "[redacted]"
    return _redacted(entry)
