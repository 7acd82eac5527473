"""Callers' own scores as messages."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from evalrpc.v1 import dataset_service_pb2, score_pb2
from evalrpc_server.domain.documents import Document, InvalidDocumentError
from evalrpc_server.domain.errors import Violation
from evalrpc_server.domain.scores import Delivered, Receipt, Score
from evalrpc_server.domain.spec.langfuse import environment_problem
from evalrpc_server.protobuf.datasets import hexadecimal, optional_time
from evalrpc_server.protobuf.documents import document_from_message
from evalrpc_server.protobuf.values import error_to_message

MAX_SCORES = 1000
"""The most scores in one request."""

_MAX_NAME = 255
_ID = re.compile(r"[!#-\[\]-~]{1,255}")

_DELIVERIES = {
    Delivered.QUEUED: dataset_service_pb2.SCORE_DELIVERY_QUEUED,
    Delivered.ACCEPTED: dataset_service_pb2.SCORE_DELIVERY_ACCEPTED,
    Delivered.REJECTED: dataset_service_pb2.SCORE_DELIVERY_REJECTED,
}


def scores_from_messages(
    messages: Sequence[score_pb2.Score], *, path: str
) -> tuple[list[Score], list[Violation]]:
    """Reads scores, and everything that is wrong with them.

    Args:
        messages: the scores.
        path: where they stand in the request, for violations.
    """
    if not 0 < len(messages) <= MAX_SCORES:
        return [], [Violation(path, f"must hold from 1 to {MAX_SCORES} scores")]
    violations: list[Violation] = []
    seen: dict[str, str] = {}
    scores = list[Score]()
    for number, message in enumerate(messages):
        place = f"{path}[{number}]"
        if message.id and message.id in seen:
            violations.append(Violation(f"{place}.id", f"is the id of {seen[message.id]} too"))
        seen.setdefault(message.id, place)
        scores.append(_score(message, place, violations))
    return scores, violations


def receipt_to_message(receipt: Receipt) -> dataset_service_pb2.ScoreReceipt:
    """Writes what became of a score."""
    return dataset_service_pb2.ScoreReceipt(
        id=receipt.id,
        delivery=_DELIVERIES[receipt.delivered],
        error=error_to_message(receipt.error) if receipt.error else None,
    )


def _score(message: score_pb2.Score, place: str, violations: list[Violation]) -> Score:
    if message.id and not _ID.fullmatch(message.id):
        violations.append(
            Violation(
                f"{place}.id", "must be at most 255 visible ASCII characters without quotes or backslashes"
            )
        )
    if not message.name.strip():
        violations.append(Violation(f"{place}.name", "is required"))
    elif len(message.name) > _MAX_NAME:
        violations.append(Violation(f"{place}.name", f"must be at most {_MAX_NAME} characters"))
    if problem := environment_problem(message.environment):
        violations.append(Violation(f"{place}.environment", problem))
    trace_id, observation_id, run_id = _subject(message, place, violations)
    return Score(
        id=message.id,
        name=message.name,
        value=_value(message, place, violations),
        trace_id=trace_id,
        observation_id=observation_id,
        dataset_run_id=run_id,
        comment=message.comment,
        metadata=_metadata(message, place, violations),
        config_id=message.config_id,
        time=optional_time(message, "time", f"{place}.time", violations),
        environment=message.environment,
    )


def _subject(message: score_pb2.Score, place: str, violations: list[Violation]) -> tuple[str, str, str]:
    match message.WhichOneof("subject"):
        case "trace":
            trace = message.trace
            trace_id = hexadecimal(trace.trace_id, 32, f"{place}.trace.trace_id", violations)
            observation_id = ""
            if trace.observation_id:
                where = f"{place}.trace.observation_id"
                observation_id = hexadecimal(trace.observation_id, 16, where, violations)
            return trace_id, observation_id, ""
        case "dataset_run_id":
            if not message.dataset_run_id.strip():
                violations.append(Violation(f"{place}.dataset_run_id", "must not be empty"))
            return "", "", message.dataset_run_id
        case _:
            violations.append(Violation(place, "must set exactly one of trace, dataset_run_id; none is set"))
            return "", "", ""


def _value(message: score_pb2.Score, place: str, violations: list[Violation]) -> float | bool | str:
    match message.WhichOneof("value"):
        case "number":
            if not math.isfinite(message.number):
                violations.append(Violation(f"{place}.number", "must be finite"))
            return message.number
        case "boolean":
            return message.boolean
        case "label":
            if not message.label:
                violations.append(Violation(f"{place}.label", "must not be empty"))
            return message.label
        case _:
            violations.append(Violation(place, "must set exactly one of number, boolean, label; none is set"))
            return 0.0


def _metadata(message: score_pb2.Score, place: str, violations: list[Violation]) -> Document | None:
    if not message.HasField("metadata"):
        return None
    try:
        document = document_from_message(message.metadata)
    except InvalidDocumentError as problem:
        violations.append(Violation(f"{place}.metadata", str(problem)))
        return None
    if not document.lstrip().startswith("{"):
        violations.append(Violation(f"{place}.metadata", "must be an object"))
    return document
