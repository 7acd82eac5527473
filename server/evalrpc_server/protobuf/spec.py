"""The spec of an experiment from and to its message.

The pydantic models have the names and the nesting of the messages, so both ways go through protobuf's JSON mapping, and
pydantic's places are the paths that callers know.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from google.protobuf import json_format
from google.protobuf.message import Message
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from evalrpc.v1 import evaluator_pb2, experiment_spec_pb2, langfuse_pb2
from evalrpc_server.domain.credentials import find_sealed, redact_credentials
from evalrpc_server.domain.errors import Violation
from evalrpc_server.domain.spec.evaluators import EvaluatorSpec
from evalrpc_server.domain.spec.experiment import ExperimentSpec
from evalrpc_server.domain.spec.langfuse import LangfuseDataset
from evalrpc_server.protobuf.documents import normalized

_Model = TypeVar("_Model", bound=BaseModel)


def spec_from_message(
    message: experiment_spec_pb2.ExperimentSpec, *, item_count: int | None, path: str
) -> tuple[ExperimentSpec | None, list[Violation]]:
    """Reads a spec, and everything that is wrong with it.

    Args:
        message: the spec, its inline items taken out.
        item_count: how many inline items came with it; None where the data comes from elsewhere.
        path: where it stands in the request, for violations.
    """
    data = {"items": {"count": item_count}} if item_count is not None else {}
    return _read(ExperimentSpec, message, path, data)


def evaluator_from_message(
    message: evaluator_pb2.EvaluatorSpec, *, path: str
) -> tuple[EvaluatorSpec | None, list[Violation]]:
    """Reads an evaluator's spec, and everything that is wrong with it."""
    return _read(EvaluatorSpec, message, path)


def dataset_from_message(
    message: langfuse_pb2.LangfuseDataset, *, path: str
) -> tuple[LangfuseDataset | None, list[Violation]]:
    """Reads which items of a dataset are wanted, and everything that is wrong with it."""
    return _read(LangfuseDataset, message, path)


def evaluators_from_message(
    message: experiment_spec_pb2.ExperimentSpec,
) -> tuple[list[EvaluatorSpec | None], EvaluatorSpec | None, list[EvaluatorSpec | None]]:
    """Reads the evaluators, the composite one, and the run evaluators of a spec; None stands for one that is wrong."""

    def read(evaluator: evaluator_pb2.EvaluatorSpec) -> EvaluatorSpec | None:
        return evaluator_from_message(evaluator, path="")[0]

    composite = read(message.composite_evaluator) if message.HasField("composite_evaluator") else None
    return (
        [read(each) for each in message.evaluators],
        composite,
        [read(each) for each in message.run_evaluators],
    )


def model_from_message(
    model: type[_Model], message: Message, *, path: str
) -> tuple[_Model | None, list[Violation]]:
    """Reads a message into the model that has its names and nesting, and everything that is wrong with it."""
    return _read(model, message, path)


def spec_to_message(spec: ExperimentSpec) -> experiment_spec_pb2.ExperimentSpec:
    """Writes a spec with its defaults filled in; inline items are left out, and literal credentials are not shown."""
    fields = spec.model_dump(mode="json", exclude_none=True, exclude={"items"})
    return json_format.ParseDict(redact_credentials(fields), experiment_spec_pb2.ExperimentSpec())


def evaluator_to_message(spec: EvaluatorSpec) -> evaluator_pb2.EvaluatorSpec:
    """Writes an evaluator's spec; literal credentials are not shown."""
    fields = spec.model_dump(mode="json", exclude_none=True)
    return json_format.ParseDict(redact_credentials(fields), evaluator_pb2.EvaluatorSpec())


def _read(
    model: type[_Model], message: Message, path: str, more: Mapping[str, Any] | None = None
) -> tuple[_Model | None, list[Violation]]:
    try:
        fields = normalized(json_format.MessageToDict(message, preserving_proto_field_name=True))
    except (json_format.Error, ValueError):
        return None, list(_impossible(message, path))
    if (place := find_sealed(fields, path)) is not None:
        problem = "must not hold a sealed value; send the secret itself, or ${secret:NAME}"
        return None, [Violation(place, problem)]
    return _validate(model, fields | dict(more or {}), path)


_IMPOSSIBLE = {
    "google.protobuf.Timestamp": "must be a time from the year 1 to 9999",
    "google.protobuf.Duration": "must be at most 10000 years, with nanoseconds of the same sign as the seconds",
}


def _impossible(message: Message, path: str) -> Iterator[Violation]:
    """Yields the values that a message can carry and JSON cannot."""
    kind = message.DESCRIPTOR.full_name
    if kind.startswith("google.protobuf."):
        try:
            json_format.MessageToDict(message)
        except (json_format.Error, ValueError):
            yield Violation(path, _IMPOSSIBLE.get(kind, "holds NaN or Infinity, which JSON does not have"))
        return
    for field, value in message.ListFields():
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            continue
        if isinstance(value, Message):
            yield from _impossible(value, f"{path}.{field.name}")
        else:
            for number, entry in enumerate(value):
                yield from _impossible(entry, f"{path}.{field.name}[{number}]")


def _validate(
    model: type[_Model], fields: Mapping[str, Any], path: str
) -> tuple[_Model | None, list[Violation]]:
    try:
        return model.model_validate(fields), []
    except ValidationError as error:
        return None, [
            violation
            for problem in error.errors(include_url=False, include_input=False)
            for violation in _violations(problem, _place(path, problem["loc"]))
        ]


def _violations(problem: ErrorDetails, place: str) -> Iterator[Violation]:
    """Yields what one complaint of pydantic's says; a validator of JSON may have found faults at several places in it."""
    for within, description in problem.get("ctx", {}).get("faults", [("", problem["msg"])]):
        yield Violation(place + within, _description(problem["type"], description))


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
