"""The HTTP listener: health, readiness, metrics, and answers to requests that are wrong."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from evalrpc_server.addresses import ListenError
from evalrpc_server.http.listener import MAX_BODY_BYTES, HttpListener
from evalrpc_server.http.status import Probe, status_routes

DEADLINE = 30.0


@asynccontextmanager
async def listening(
    *routes: web.RouteDef, probes: dict[str, Probe] | None = None, metrics: str = "# none\n"
) -> AsyncIterator[aiohttp.ClientSession]:
    status: Sequence[web.RouteDef] = status_routes(probes or {}, lambda: metrics)
    listener = HttpListener("127.0.0.1:0", [*status, *routes])
    address = await listener.start()
    try:
        async with aiohttp.ClientSession(
            f"http://{address}", timeout=aiohttp.ClientTimeout(DEADLINE)
        ) as session:
            yield session
    finally:
        await listener.aclose()


async def echo(request: web.Request) -> web.Response:
    return web.Response(body=await request.read())


async def broken(_request: web.Request) -> web.Response:
    raise ValueError("db password is hunter2")


async def test_a_live_server_says_so():
    async with listening() as session, session.get("/healthz") as answer:
        assert (answer.status, await answer.json()) == (200, {"status": "ok"})
        assert answer.headers["Server"] == "evalrpc"


async def test_a_server_is_ready_when_all_its_parts_are():
    ready = {"store": True, "accepting": False}
    probes: dict[str, Probe] = {name: (lambda name=name: ready[name]) for name in ready}  # type: ignore[misc]  # binds the name
    async with listening(probes=probes) as session:
        async with session.get("/readyz") as answer:
            assert answer.status == 503
            assert (await answer.json())["parts"] == {"store": True, "accepting": False}
        ready["accepting"] = True
        async with session.get("/readyz") as answer:
            assert answer.status == 200


async def test_metrics_are_prometheus_text():
    async with listening(metrics="up 1\n") as session, session.get("/metrics") as answer:
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert await answer.text() == "up 1\n"


async def test_a_path_that_does_not_exist_is_404_in_json():
    async with listening() as session, session.get("/nothing?secret=1") as answer:
        assert answer.status == 404
        assert await answer.json() == {"error": {"status": 404, "message": "there is nothing at /nothing"}}


async def test_a_wrong_method_is_405_in_json_with_the_right_ones():
    async with listening() as session, session.delete("/healthz") as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "GET,HEAD")
        assert "only GET, HEAD" in (await answer.json())["error"]["message"]


async def test_a_body_above_the_limit_is_413_in_json():
    async with (
        listening(web.post("/echo", echo)) as session,
        session.post("/echo", data=io.BytesIO(b"x" * (MAX_BODY_BYTES + 1))) as answer,
    ):
        assert answer.status == 413
        assert str(MAX_BODY_BYTES) in (await answer.json())["error"]["message"]


async def test_a_body_of_the_limit_is_taken():
    body = b"x" * MAX_BODY_BYTES
    async with (
        listening(web.post("/echo", echo)) as session,
        session.post("/echo", data=io.BytesIO(body)) as answer,
    ):
        assert await answer.read() == body


async def test_headers_above_the_limit_are_refused():
    async with listening() as session, session.get("/healthz", headers={"note": "x" * 40_000}) as answer:
        assert answer.status == 400


async def test_the_text_of_a_bug_stays_in_the_log_under_the_id_that_the_caller_gets(
    caplog: pytest.LogCaptureFixture,
):
    async with listening(web.get("/broken", broken)) as session, session.get("/broken") as answer:
        body = await answer.text()
        assert answer.status == 500
    assert "hunter2" not in body
    error_id = json.loads(body)["error"]["error_id"]
    [logged] = [record for record in caplog.records if hasattr(record, "error_id")]
    assert logged.error_id == error_id
    assert "hunter2" in caplog.text


async def test_bytes_that_are_no_http_do_not_disturb_the_others():
    async with listening() as session:
        assert session._base_url is not None
        reader, writer = await asyncio.open_connection(session._base_url.host, session._base_url.port)
        writer.write(b"\x00\xff nonsense\r\n\r\n")
        assert (await asyncio.wait_for(reader.read(), DEADLINE)).startswith(b"HTTP/1.")
        writer.close()
        async with session.get("/healthz") as answer:
            assert answer.status == 200


async def test_a_handler_ends_when_its_caller_has_gone():
    begun, ended = asyncio.Event(), asyncio.Event()

    async def waiting(_request: web.Request) -> web.Response:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return web.Response()

    async with listening(web.get("/wait", waiting)) as session:
        call = asyncio.create_task(session.get("/wait").__aenter__())
        await asyncio.wait_for(begun.wait(), DEADLINE)
        call.cancel()
        await asyncio.wait_for(ended.wait(), DEADLINE)


async def test_requests_in_progress_end_before_the_listener_does():
    begun, go = asyncio.Event(), asyncio.Event()

    async def slow(_request: web.Request) -> web.Response:
        begun.set()
        await go.wait()
        return web.Response(text="done")

    listener = HttpListener("127.0.0.1:0", [web.get("/slow", slow)])
    address = await listener.start()
    async with aiohttp.ClientSession() as session:
        call = asyncio.create_task(session.get(f"http://{address}/slow").__aenter__())
        await asyncio.wait_for(begun.wait(), DEADLINE)
        closing = asyncio.create_task(listener.aclose())
        go.set()
        answer = await asyncio.wait_for(call, DEADLINE)
        assert await answer.text() == "done"
        await asyncio.wait_for(closing, DEADLINE)
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(f"http://{address}/slow")


@pytest.mark.parametrize("listen", ["nonsense", "127.0.0.1:99999", "256.0.0.1:0"])
async def test_a_wrong_address_is_refused(listen: str):
    with pytest.raises(ListenError):
        await HttpListener(listen, []).start()


async def test_a_second_listener_on_a_port_is_refused():
    first = HttpListener("127.0.0.1:0", [])
    address = await first.start()
    try:
        with pytest.raises(ListenError, match=address):
            await HttpListener(address, []).start()
    finally:
        await first.aclose()
