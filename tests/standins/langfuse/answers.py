"""The forms of the server's answers: JSON, errors, pages, cursors."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from aiohttp import web

T = TypeVar("T")
Json = Any  # a decoded JSON document of a caller; nothing is known about it

encode_json = msgspec.json.Encoder().encode
_decode_json = msgspec.json.Decoder().decode

NOT_FOUND_PAGE = "<!DOCTYPE html><html><body><h1>404</h1><p>This page could not be found.</p></body></html>"


class Refused(Exception):  # noqa: N818 - a refusal is an answer, not a defect
    """A request that is answered with an error."""

    def __init__(self, status: int, body: Json, *, text: str | None = None) -> None:
        super().__init__(f"{status}: {text or body}")
        self.status = status
        self.body = body
        self.text = text

    def response(self) -> web.Response:
        """The answer to send."""
        if self.text is not None:
            return web.Response(status=self.status, text=self.text)
        return json_response(self.body, self.status)


def json_response(body: Json, status: int = 200) -> web.Response:
    """A JSON answer."""
    return web.Response(status=status, body=encode_json(body), content_type="application/json")


def not_found(message: str) -> Refused:
    """404 for a record that does not exist, or is hidden."""
    return Refused(404, {"message": message, "error": "LangfuseNotFoundError"})


def conflict(message: str) -> Refused:
    """409 for an id that is taken."""
    return Refused(409, {"message": message, "error": "LangfuseConflictError"})


def invalid(*issues: tuple[Sequence[str | int], str], code: str = "custom") -> Refused:
    """400 for a body or query that the schema refuses: pairs of path and message."""
    return Refused(
        400,
        {
            "message": "Invalid request data",
            "error": [{"code": code, "path": list(path), "message": text} for path, text in issues],
        },
    )


def invalid_request(message: str) -> Refused:
    """400 for a request that the schema takes and the logic refuses."""
    return Refused(400, {"message": message, "error": "InvalidRequestError"})


def read_json(body: bytes) -> Json:
    """Decode a request body, or refuse it as the server does."""
    try:
        return _decode_json(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Refused(400, None, text="Invalid JSON") from None


def _whole_number(query: Mapping[str, str], name: str, default: int, low: int, high: int | None) -> int:
    text = query.get(name)
    if text is None or text == "":
        return default
    try:
        number = int(text)
    except ValueError:
        raise invalid(([name], "Invalid input: expected number, received NaN")) from None
    if number < low:
        raise invalid(([name], f"Too small: expected number to be >={low}"), code="too_small")
    if high is not None and number > high:
        raise invalid(([name], f"Too big: expected number to be <={high}"), code="too_big")
    return number


def read_limit(query: Mapping[str, str], name: str = "limit", *, highest: int = 100) -> int:
    """The page size of a list request: 1 to `highest`, default 50."""
    return _whole_number(query, name, 50, 1, highest)


def page_of(query: Mapping[str, str], rows: Sequence[T], show: Callable[[T], Json]) -> web.Response:
    """One numbered page of `rows` in the older list form."""
    page = _whole_number(query, "page", 1, 1, None)
    limit = read_limit(query)
    start = (page - 1) * limit
    return json_response(
        {
            "data": [show(row) for row in rows[start : start + limit]],
            "meta": {
                "page": page,
                "limit": limit,
                "totalItems": len(rows),
                "totalPages": -(-len(rows) // limit),
            },
        }
    )


def cursor_page(
    query: Mapping[str, str], rows: Sequence[T], key: Callable[[T], tuple[int, str]], *, highest: int = 100
) -> tuple[list[T], dict[str, Json]]:
    """One page of `rows`, sorted by descending `key`, behind the request's cursor; and its ``meta``."""
    limit = read_limit(query, highest=highest)
    start = 0
    if cursor := query.get("cursor"):
        after = _read_cursor(cursor)
        low, high = 0, len(rows)
        while low < high:
            middle = (low + high) // 2
            if key(rows[middle]) >= after:
                low = middle + 1
            else:
                high = middle
        start = low
    page = list(rows[start : start + limit])
    meta: dict[str, Json] = {"limit": limit}
    if start + limit < len(rows):
        meta["cursor"] = _write_cursor(key(page[-1]))
    return page, meta


def _write_cursor(position: tuple[int, str]) -> str:
    return base64.urlsafe_b64encode(encode_json({"v": 1, "at": list(position)})).decode()


def _read_cursor(cursor: str) -> tuple[int, str]:
    try:
        content = _decode_json(base64.urlsafe_b64decode(cursor))
        moment, identifier = content["at"]
    except (binascii.Error, msgspec.DecodeError, KeyError, TypeError, ValueError):
        raise invalid((["cursor"], "Invalid cursor")) from None
    return int(moment), str(identifier)


def listed(query: Mapping[str, str], name: str) -> set[str] | None:
    """A comma list of the query, or None when it was not given."""
    text = query.get(name)
    return {part.strip() for part in text.split(",") if part.strip()} if text else None
