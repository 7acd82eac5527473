"""Documents in the forms that Langfuse shows."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from evalrpc_server.domain.documents import Document, JsonValue
from evalrpc_server.domain.evaluations import Evaluation

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_encode = msgspec.json.Encoder().encode


def shown(document: Document) -> str:
    """Returns a document as Langfuse wants inputs and outputs: a string without its quotes, all else as JSON text."""
    if document.lstrip()[:1] == '"':
        value: str = msgspec.json.decode(document)
        return value
    return document


def members(document: Document | None) -> dict[str, JsonValue]:
    """Returns the members of an object; a document of another kind, or none, has no members."""
    if document is None or not document.lstrip().startswith("{"):
        return {}
    value: dict[str, JsonValue] = msgspec.json.decode(document)
    return value


def to_json(value: JsonValue) -> str:
    """Writes a value as compact JSON text; documents within it, as `msgspec.Raw`, stay as they are."""
    return _encode(value).decode("utf-8")


def raw(document: Document) -> msgspec.Raw:
    """Returns a document for use within `to_json`."""
    return msgspec.Raw(document.encode("utf-8"))


def nanoseconds(time: datetime) -> int:
    """Returns a time as OpenTelemetry counts it: nanoseconds since 1970."""
    since = time - _EPOCH
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1000


def iso(time: datetime) -> str:
    """Returns a time as Langfuse's API writes it: ISO 8601 in UTC, to the millisecond."""
    return f"{time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def evaluation_fields(evaluation: Evaluation) -> dict[str, JsonValue]:
    """Returns an evaluation under the names that Langfuse's SDKs show evaluations with; what is not set is left out."""
    fields: dict[str, JsonValue] = {"name": evaluation.name}
    value = evaluation.value
    if value is not None:
        fields["value"] = value
    elif evaluation.error is not None:
        fields["error"] = evaluation.error.message
    else:
        fields["unscored"] = evaluation.unscored or ""
    if evaluation.comment:
        fields["comment"] = evaluation.comment
    if evaluation.metadata is not None:
        fields["metadata"] = raw(evaluation.metadata)
    if isinstance(value, bool):
        fields["data_type"] = "BOOLEAN"
    elif isinstance(value, str):
        fields["data_type"] = "CATEGORICAL"
    if evaluation.config_id:
        fields["config_id"] = evaluation.config_id
    return fields
