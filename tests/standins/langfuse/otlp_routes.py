"""HTTP of the OTLP endpoint."""

from __future__ import annotations

import re
import zlib

from aiohttp import web

from tests.standins.langfuse.answers import Refused, json_response
from tests.standins.langfuse.otlp import decode, inflate, refused, span_ids
from tests.standins.langfuse.routing import Call, Route
from tests.standins.langfuse.spans import Batch

FAST_GZIP = 1


async def take_traces(call: Call) -> web.Response:
    """Take in an export as a whole, or refuse it as a whole."""
    headers = call.request.headers
    content_type = headers.get("Content-Type", "")
    body = inflate(call.body, headers.get("Content-Encoding"))
    limit = call.settings.otlp_body_limit
    if limit is not None and len(call.body) > limit:
        raise Refused(413, None, text="Body exceeded limit")
    direct = takes_direct_path(call)
    if call.settings.count_only:
        keys = span_ids(body, content_type)
        call.project.tally.spans += len(keys)
        call.project.tally.span_keys.update(keys)
        return json_response({})
    spans = decode(body, content_type)
    if not spans:
        return json_response({})
    project = call.project
    delay = call.settings.span_delay
    stamp = project.visibility.stamp(delay)
    staged = stamp if direct else project.visibility.stamp(call.settings.staging_delay)
    project.spans.add(
        Batch(
            call.body if body is not call.body else zlib.compress(body, FAST_GZIP, wbits=31),
            content_type,
            direct,
            encodes_metadata(call),
            stamp,
            staged,
        ),
        spans,
    )
    return json_response({})


def takes_direct_path(call: Call) -> bool:
    """Whether the batch goes straight to the events tables.

    In dual mode that takes ingestion version 4, or a Langfuse SDK that is new enough; the other modes
    have one path only.

    Raises:
        Refused: 400 for an ingestion version that is no number or above 4.
    """
    version = call.request.headers.get("x-langfuse-ingestion-version")
    number = None
    if version:
        digits = re.match(r"\s*[+-]?\d+", version)
        number = int(digits.group()) if digits else None
        if number is None or number > 4:
            raise refused(f'Unsupported x-langfuse-ingestion-version: "{version}". Maximum supported: "4".')
    if call.settings.mode != "dual":
        return True
    name, major = sdk_of(call)
    return number == 4 or (name == "python" and major >= 4) or (name == "javascript" and major >= 5)


def encodes_metadata(call: Call) -> bool:
    """Whether the sending SDK writes metadata values as JSON texts."""
    name, major = sdk_of(call)
    return (name == "python" and major >= 5) or (name == "javascript" and major >= 6)


def sdk_of(call: Call) -> tuple[str, int]:
    """Name and major version of the sending Langfuse SDK; ("", 0) for other senders."""
    headers = call.request.headers
    major = headers.get("x-langfuse-sdk-version", "").partition(".")[0]
    return headers.get("x-langfuse-sdk-name", ""), int(major) if major.isdigit() else 0


ROUTES = (Route("POST", "/otel/v1/traces", take_traces, "ingestion", body_limit=None, raw_body=True),)
