"""What Langfuse has of a trace already: only the server's own spans tell that an export arrived."""

from __future__ import annotations

import gzip

from evalrpc_server.domain.clock import SystemClock
from evalrpc_server.domain.trace import span_id, span_id_bytes
from evalrpc_server.langfuse import otlp
from evalrpc_server.langfuse.api import LangfuseApi
from evalrpc_server.langfuse.presence import Presence
from evalrpc_server.langfuse.server import LangfuseServer
from evalrpc_server.langfuse.traces import PATH
from tests.langfuse.hosted import api_of
from tests.standins.langfuse import LangfuseStandIn

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
HEADERS = {
    "content-type": "application/x-protobuf",
    "content-encoding": "gzip",
    "x-langfuse-ingestion-version": "4",
}


async def export(api: LangfuseApi, own: bytes, parent: bytes) -> None:
    span = otlp.span(
        trace_id=bytes.fromhex(TRACE), span_id=own, parent_id=parent, name="a span", start=1, end=2, parts=()
    )
    envelope = otlp.Envelope({"service.name": "test"}, scope="test", version="1")
    content = gzip.compress(b"".join(envelope.wrap([span])))
    await api.request("POST", PATH, content=content, headers=HEADERS)


async def test_spans_of_the_application_are_not_those_of_the_export():
    async with LangfuseStandIn() as standin, api_of(standin) as api:
        presence = Presence(api, LangfuseServer(api, SystemClock()))
        assert not await presence.of_trace(TRACE)
        await export(api, bytes(7) + b"1", bytes.fromhex(span_id(TRACE, "task")))
        assert not await presence.of_trace(TRACE)
        await export(api, span_id_bytes(TRACE, "task"), span_id_bytes(TRACE, "run"))
        assert await presence.of_trace(TRACE)
