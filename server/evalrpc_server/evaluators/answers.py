"""Reading an evaluator's answer, in the shape that users write: an evaluation, a list, or `{"evaluations": [...]}`."""

from __future__ import annotations

import math

import msgspec

from evalrpc_server.domain.documents import Document
from evalrpc_server.domain.evaluations import Evaluation, Value
from evalrpc_server.outbound.json_answers import InvalidAnswerError, field_error

MAX_EVALUATIONS = 100
"""The most evaluations that one answer may hold."""

MAX_NAME = 255
"""The longest name of an evaluation, in characters."""

NULL_VALUE = "the evaluator answered null"
"""Why an evaluation whose value is null has none."""

_ABSENT = msgspec.Raw(b"")
_VALUE = "must be a number, a boolean, a string or null"


class _Evaluation(msgspec.Struct):
    name: str | None = None
    value: int | float | bool | str | msgspec.UnsetType | None = msgspec.UNSET
    comment: str | None = None
    metadata: msgspec.Raw = _ABSENT
    data_type: str | None = None
    config_id: str | None = None


class _Envelope(msgspec.Struct):
    evaluations: msgspec.Raw = _ABSENT


_decode_one = msgspec.json.Decoder(_Evaluation).decode
_decode_list = msgspec.json.Decoder(list[_Evaluation]).decode
_decode_envelope = msgspec.json.Decoder(_Envelope).decode


def read_evaluations(text: Document) -> tuple[Evaluation, ...]:
    """Reads an answer.

    A name that is absent stays empty. `data_type` is one of Langfuse's: NUMERIC, BOOLEAN (also of 0 and 1), CATEGORICAL
    or TEXT; without it the value's own type decides.

    Args:
        text: valid JSON.

    Raises:
        InvalidAnswerError: it holds no evaluations; the error names the field.
    """
    if text.startswith("["):
        return _read_list(text.encode("utf-8"), "")
    if not text.startswith("{"):
        raise InvalidAnswerError(
            "answer", 'must be an evaluation such as {"value": 0.5}, or a list of evaluations'
        )
    if listed := bytes(_decode_envelope(text).evaluations):
        return _read_list(listed, "evaluations")
    try:
        return (_evaluation(_decode_one(text), ""),)
    except msgspec.ValidationError as error:
        raise _field_error("", error) from None


def _read_list(text: bytes, path: str) -> tuple[Evaluation, ...]:
    try:
        found = _decode_list(text)
    except msgspec.ValidationError as error:
        raise _field_error(path, error) from None
    if len(found) > MAX_EVALUATIONS:
        where = path or "answer"
        raise InvalidAnswerError(where, f"must hold at most {MAX_EVALUATIONS} evaluations, not {len(found)}")
    return tuple(_evaluation(one, f"{path}[{index}].") for index, one in enumerate(found))


def _field_error(path: str, error: msgspec.ValidationError) -> InvalidAnswerError:
    found = field_error(path, error)
    if found.field.endswith("value"):
        return InvalidAnswerError(found.field, _VALUE)
    return found if found.field else InvalidAnswerError("answer", found.problem)


def _evaluation(given: _Evaluation, prefix: str) -> Evaluation:
    name = (given.name or "").strip()
    if len(name) > MAX_NAME:
        raise InvalidAnswerError(f"{prefix}name", f"must be at most {MAX_NAME} characters")
    value = _value(given, prefix)
    return Evaluation(
        name=name,
        value=value,
        unscored=NULL_VALUE if value is None else None,
        comment=given.comment or "",
        metadata=_metadata(given.metadata, f"{prefix}metadata"),
        config_id=given.config_id or "",
    )


def _value(given: _Evaluation, prefix: str) -> Value | None:
    value = given.value
    if isinstance(value, msgspec.UnsetType):
        raise InvalidAnswerError(f"{prefix}value", f"is missing; it {_VALUE}")
    if value is None:
        return None
    match given.data_type:
        case None:
            return value if isinstance(value, bool | str) else _number(value, prefix)
        case "NUMERIC" if not isinstance(value, str):
            return _number(value, prefix)
        case "BOOLEAN" if isinstance(value, bool) or value in {0, 1}:
            return bool(value)
        case "CATEGORICAL" | "TEXT" if isinstance(value, str):
            return value
        case "NUMERIC" | "BOOLEAN" | "CATEGORICAL" | "TEXT":
            raise InvalidAnswerError(f"{prefix}value", f"does not fit the data_type {given.data_type}")
        case _:
            raise InvalidAnswerError(f"{prefix}data_type", "must be NUMERIC, BOOLEAN, CATEGORICAL or TEXT")


def _number(value: float, prefix: str) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise InvalidAnswerError(f"{prefix}value", "must be a number that a double can hold")
    return number


def _metadata(raw: msgspec.Raw, path: str) -> Document | None:
    content = bytes(raw)
    if not content or content == b"null":
        return None
    if not content.startswith(b"{"):
        raise InvalidAnswerError(path, "must be an object")
    return Document(content.decode("utf-8"))
