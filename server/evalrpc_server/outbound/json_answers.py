"""The first step of reading an endpoint's answer: from the bytes of a body to JSON text that is known to be valid."""

from __future__ import annotations

import codecs
import json
import math
from typing import Any

import msgspec

from evalrpc_server.domain.documents import Document, JsonValue
from evalrpc_server.outbound.client import HttpResponse
from evalrpc_server.outbound.endpoint import HttpEndpoint
from evalrpc_server.outbound.failures import CallFailedError, Failure

_validate = msgspec.json.Decoder(msgspec.Raw).decode
_encode = msgspec.json.Encoder().encode
_MAX_EXPLAINED_BYTES = 64 * 1024


class InvalidAnswerError(Exception):
    """The answer is valid JSON of the wrong shape.

    Attributes:
        field: its path, such as `contexts[0].score`.
        problem: what is wrong and what is expected, to follow the field's name.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field} {problem}")
        self.field = field
        self.problem = problem


def json_text(response: HttpResponse, endpoint: HttpEndpoint) -> Document:
    """Returns the JSON text that an endpoint answered, byte for byte but for white space around it.

    The content of a `text/plain` answer becomes a JSON string. An empty body of any other type is not JSON.

    Raises:
        CallFailedError: the body is not valid UTF-8, or not valid JSON.
    """
    content_type = response.headers.get("content-type", "").lower()
    if content_type.startswith("text/plain"):
        text = _decode(response.body, _charset(content_type), endpoint)
        return Document(_encode(endpoint.redact_answer(text)).decode("utf-8"))
    text = _decode(response.body, "utf-8-sig" if response.body[:3] == codecs.BOM_UTF8 else "utf-8", endpoint)
    text = endpoint.redact_answer(text).strip(" \t\r\n")
    try:
        _validate(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise _not_json(response, endpoint, _explain(text, error)) from None
    return Document(text)


def invalid_answer(error: InvalidAnswerError, endpoint: HttpEndpoint) -> CallFailedError:
    """Makes the failure of a call out of a fault in its answer."""
    return CallFailedError(
        Failure.INVALID_ANSWER,
        f"gave an answer whose {error.field} {error.problem}.",
        endpoint=endpoint.origin,
        field=error.field,
        description=error.problem,
    )


def field_error(root: str, error: msgspec.ValidationError) -> InvalidAnswerError:
    """Turns msgspec's complaint about a part of an answer into one that names the field from the answer's root."""
    message, _, path = str(error).partition(" - at `")
    path = path.removesuffix("`").removeprefix("$")
    if message.startswith("Expected"):
        problem = "must be " + message.removeprefix("Expected ").replace(", got ", ", not ")
    else:
        problem = f"is wrong: {message}"
    return InvalidAnswerError(f"{root}{path}".lstrip("."), problem)


def _decode(body: bytes, charset: str, endpoint: HttpEndpoint) -> str:
    try:
        return body.decode(charset)
    except (UnicodeDecodeError, LookupError):
        name = "UTF-8" if charset.startswith("utf-8") else charset[:40]
        raise CallFailedError(
            Failure.INVALID_JSON,
            f"answered with a body that is not valid {name}; send UTF-8.",
            endpoint=endpoint.origin,
            body=endpoint.excerpt(body),
        ) from None


def _charset(content_type: str) -> str:
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset":
            return value.strip().strip("\"'") or "utf-8"
    return "utf-8"


def _not_json(response: HttpResponse, endpoint: HttpEndpoint, problem: str) -> CallFailedError:
    return CallFailedError(
        Failure.INVALID_JSON,
        f"answered {response.status} with a body that {problem}; "
        "answer JSON, or plain text with the content type text/plain.",
        endpoint=endpoint.origin,
        body=endpoint.excerpt(response.body),
    )


def _explain(text: str, error: Exception) -> str:
    if not text:
        return "is empty"
    if isinstance(error, RecursionError):
        return "is nested too deep"
    if (path := _non_finite_path(text)) is not None:
        return f"has NaN or Infinity{f' at {path}' if path else ''}, which JSON does not have"
    return f"is not valid JSON ({error})"


def _non_finite_path(text: str) -> str | None:
    """Finds the first NaN or Infinity in text that is JSON but for these, as Python's own encoder writes them."""
    if len(text) > _MAX_EXPLAINED_BYTES or ("NaN" not in text and "Infinity" not in text):
        return None
    try:
        return _find_non_finite(json.loads(text), "")
    except (ValueError, RecursionError):
        return None


def _find_non_finite(value: JsonValue, path: str) -> str | None:
    children: list[tuple[str, Any]] = []
    if isinstance(value, float) and not math.isfinite(value):
        return path
    if isinstance(value, dict):
        children = [(f"{path}.{key}" if path else key, child) for key, child in value.items()]
    elif isinstance(value, list):
        children = [(f"{path}[{index}]", child) for index, child in enumerate(value)]
    return next((found for at, child in children if (found := _find_non_finite(child, at)) is not None), None)
