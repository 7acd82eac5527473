"""How scores look in the three generations of the read API."""

from __future__ import annotations

from collections.abc import Mapping

from tests.standins.langfuse.answers import Json
from tests.standins.langfuse.clock import iso
from tests.standins.langfuse.scores import Score, ScoreConfig


def document(metadata: Json) -> dict[str, Json] | None:
    """Score metadata as an object; any other document stands under the key ``metadata``."""
    if metadata is None or isinstance(metadata, dict):
        return metadata
    return {"metadata": metadata}


def subject(score: Score) -> dict[str, Json]:
    """What the score is about, in the v3 form."""
    if score.run_id:
        return {"kind": "experiment", "id": score.run_id}
    if score.session_id:
        return {"kind": "session", "id": score.session_id}
    if score.observation_id:
        return {"kind": "observation", "id": score.observation_id, "traceId": score.trace_id}
    return {"kind": "trace", "id": score.trace_id}


def v3(score: Score, groups: set[str]) -> dict[str, Json]:
    """A score of ``GET /v3/scores``, with the field groups asked for."""
    form: dict[str, Json] = {
        "id": score.id,
        "projectId": score.project_id,
        "name": score.name,
        "dataType": score.data_type,
        "value": bool(score.value) if score.data_type == "BOOLEAN" else score.value,
        "source": score.source,
        "timestamp": iso(score.timestamp),
        "environment": score.environment,
        "createdAt": iso(score.created),
        "updatedAt": iso(score.updated),
    }
    if "details" in groups:
        form["comment"] = score.comment
        form["configId"] = score.config_id
        form["metadata"] = document(score.metadata) or {}
    if "subject" in groups:
        form["subject"] = subject(score)
    if "annotation" in groups:
        form["authorUserId"] = None
        form["queueId"] = score.queue_id
    return form


def v1(score: Score, configs: Mapping[str, ScoreConfig]) -> dict[str, Json]:
    """A score of the page-based lists and of a trace's details."""
    value: Json = score.value
    label: str | None = None
    if score.data_type == "BOOLEAN":
        label = "True" if score.value else "False"
    elif isinstance(score.value, str):
        label = score.value
        config = configs.get(score.config_id or "")
        categories = (config.body.categories if config else None) or ()
        value = next((entry.value for entry in categories if entry.label == label), 0)
    return {
        "id": score.id,
        "traceId": score.trace_id,
        "sessionId": score.session_id,
        "observationId": score.observation_id,
        "datasetRunId": score.run_id,
        "name": score.name,
        "value": value,
        **({"stringValue": label} if label is not None else {}),
        "dataType": score.data_type,
        "source": score.source,
        "timestamp": iso(score.timestamp),
        "createdAt": iso(score.created),
        "updatedAt": iso(score.updated),
        "authorUserId": None,
        "comment": score.comment,
        "metadata": document(score.metadata) or {},
        "configId": score.config_id,
        "queueId": score.queue_id,
        "environment": score.environment,
    }
