"""A webhook's body as Langfuse sends it: `{"projectId", "datasetId", "datasetName", "payload"}`.

Langfuse sends the payload as a string that holds JSON, whatever the user typed; others send an object.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from msgspec import Struct

from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.domain.errors import InvalidRequestError, Violation

PAYLOAD = "payload"
_MAX_ENCODINGS = 3


class Delivery(Struct, frozen=True, kw_only=True):
    """What a webhook says.

    Attributes:
        dataset: the name of the dataset whose run was asked for.
        project_id: Langfuse's id of the project; empty where it is not told.
        payload: what the user configured; empty for nothing.
    """

    dataset: str
    project_id: str
    payload: Mapping[str, JsonValue]


def read_delivery(body: bytes) -> Delivery:
    """Reads a webhook's body.

    Raises:
        InvalidRequestError: it is not of the form above. Its values are not told: they may be secret.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise _wrong("body", "is not JSON") from None
    if not isinstance(document, dict):
        raise _wrong("body", "must be an object with datasetName and payload, as Langfuse sends it")
    dataset = document.get("datasetName")
    if not isinstance(dataset, str) or not dataset.strip():
        raise _wrong("datasetName", "is required: the name of a dataset in Langfuse")
    project = document.get("projectId") or ""
    if not isinstance(project, str):
        raise _wrong("projectId", "must be a string")
    return Delivery(dataset=dataset, project_id=project, payload=_payload(document.get(PAYLOAD)))


def _payload(value: JsonValue) -> Mapping[str, JsonValue]:
    for _ in range(_MAX_ENCODINGS):
        if not isinstance(value, str) or not value.strip():
            break
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            where = (
                f" (line {error.lineno}, column {error.colno})"
                if isinstance(error, json.JSONDecodeError)
                else ""
            )
            raise _wrong(PAYLOAD, f"is a string that is not JSON{where}; correct it in Langfuse") from None
    if value is None or (isinstance(value, str) and not value.strip()):
        return {}
    if not isinstance(value, dict):
        raise _wrong(PAYLOAD, 'must be a JSON object, such as {"definition": "nightly"}, or empty')
    return value


def _wrong(path: str, problem: str) -> InvalidRequestError:
    return InvalidRequestError([Violation(path, problem)])
