"""HTTP endpoints as users write them, and as they go wrong: every fault has a path of its own.

In a test: `async with Endpoints() as endpoints: ... endpoints.url("/task")`, where `endpoints.requests` tells what was
received and `endpoints.routes["/mine"] = handler` adds a path. As a process: `python -m tests.standins.endpoints` prints
`{"port": n}` and serves until it is terminated.
"""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import struct
import zlib
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

GIB = 1024**3


@dataclass(frozen=True)
class Request:
    """A request as it was received; header names are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return {name: values[-1] for name, values in parse_qs(urlsplit(self.target).query).items()}

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Exchange:
    """What a handler answers with: helpers over the raw connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(
        self,
        body: bytes | str | dict[str, Any] | list[Any],
        *,
        status: int = 200,
        content_type: str = "application/json",
        headers: dict[str, str] | None = None,
    ) -> None:
        if isinstance(body, dict | list):
            body = json.dumps(body)
        content = body.encode() if isinstance(body, str) else body
        lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(content)}"]
        if content_type:
            lines.append(f"Content-Type: {content_type}")
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        await self.send("\r\n".join([*lines, "", ""]).encode("latin-1") + content)

    async def until_closed(self) -> None:
        """Waits until the other side is gone."""
        while await self.reader.read(65536):
            pass

    async def reset(self) -> None:
        """Ends the connection with RST instead of FIN."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.close()


Handler = Callable[[Request, Exchange], Awaitable[None]]


@dataclass
class Endpoints:
    """A listening server; `requests` holds what it received, newest last."""

    requests: list[Request] = field(default_factory=list)
    routes: dict[str, Handler] = field(default_factory=dict)
    connections: int = 0
    open: int = 0

    def __post_init__(self) -> None:
        self.routes = {**ROUTES, **self.routes}
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2**22)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def port(self) -> int:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def url(self, path: str) -> str:
        return self.origin + path

    async def until(self, condition: Callable[[], bool], *, seconds: float = 10) -> None:
        """Waits until a condition over this object holds; raises TimeoutError if it does not in time."""
        async with asyncio.timeout(seconds):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        self.open += 1
        self._changed.set()
        try:
            while (request := await _read_request(reader, writer)) is not None:
                self.requests.append(request)
                self._changed.set()
                handler = self.routes.get(request.path, _not_found)
                await handler(request, Exchange(reader, writer))
                if writer.is_closing():
                    return
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the other side is gone, or this server closes
        finally:
            self._tasks.discard(task)
            self.open -= 1
            self._changed.set()
            writer.close()


async def _read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request | None:
    try:
        first = await reader.readexactly(1)
        if not first.isalpha():  # a TLS handshake
            writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return None
        head = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    line, *lines = head.rstrip("\r\n").split("\r\n")
    method, target, _ = line.split(" ")
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    if "chunked" in headers.get("transfer-encoding", ""):
        body = b""
        while size := int(await reader.readline(), 16):
            body += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
    else:
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, target, headers, body)


def refused_url(path: str = "/task") -> str:
    """Returns a URL at which nothing listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{unused.getsockname()[1]}{path}"


# ------------------------------------------------------------------------------------------- well-behaved


async def _not_found(request: Request, exchange: Exchange) -> None:
    await exchange.answer({"detail": "not found"}, status=404)


async def _task(request: Request, exchange: Exchange) -> None:
    """Answers with the input as the output."""
    await exchange.answer({"output": request.json()["input"]})


async def _echo(request: Request, exchange: Exchange) -> None:
    """Answers with the headers received, as a careless debug page does."""
    await exchange.answer({"output": request.headers}, status=int(request.query.get("status", "200")))


async def _evaluate(request: Request, exchange: Exchange) -> None:
    """Scores whether output and expected output are equal."""
    case = request.json()
    await exchange.answer({"value": case["output"] == case["expected_output"], "comment": "compared"})


async def _evaluate_run(request: Request, exchange: Exchange) -> None:
    results = request.json()["item_results"]
    await exchange.answer({"evaluations": [{"name": "results", "value": len(results)}]})


async def _status(request: Request, exchange: Exchange) -> None:
    """`/status?code=503&retry_after=7`."""
    after = request.query.get("retry_after")
    headers = {"Retry-After": after} if after is not None else {}
    await exchange.answer(
        "went wrong", status=int(request.query["code"]), content_type="text/html", headers=headers
    )


# ------------------------------------------------------------------------------------------------ hostile


async def _hang(request: Request, exchange: Exchange) -> None:
    await exchange.until_closed()


async def _hang_in_body(request: Request, exchange: Exchange) -> None:
    await exchange.send(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"output": "never')
    await exchange.until_closed()


async def _trickle(request: Request, exchange: Exchange) -> None:
    """Sends a byte every 20 ms for as long as anyone listens."""
    await exchange.send(b'HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"')
    while not exchange.reader.at_eof():
        await exchange.send(b"x")
        try:
            await asyncio.wait_for(exchange.reader.read(1), 0.02)
        except TimeoutError:
            continue


async def _garbage(request: Request, exchange: Exchange) -> None:
    await exchange.send(bytes(range(128, 256)) * 64 + b"\r\n\r\n")
    exchange.writer.close()


async def _declared_3_gib(request: Request, exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (3 * GIB))
    await _flood(exchange, lambda block: block)


async def _chunked_3_gib(request: Request, exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    await _flood(exchange, lambda block: b"%x\r\n%b\r\n" % (len(block), block))


async def _flood(exchange: Exchange, frame: Callable[[bytes], bytes]) -> None:
    block = frame(b" " * 65536)
    for _ in range(3 * GIB // 65536):
        await exchange.send(block)
    await exchange.send(frame(b""))


def _gzip_of_spaces(size: int) -> Iterator[bytes]:
    packer = zlib.compressobj(9, wbits=zlib.MAX_WBITS | 16)
    for _ in range(size // 2**20):
        yield packer.compress(b" " * 2**20)
    yield packer.flush()


async def _gzip_bomb(request: Request, exchange: Exchange) -> None:
    """About 3 MiB that decompress to 3 GiB; made as they are sent."""
    await exchange.send(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
    )
    for block in _gzip_of_spaces(3 * GIB):
        if block:
            await exchange.send(b"%x\r\n%b\r\n" % (len(block), block))
        await asyncio.sleep(0)
    await exchange.send(b"0\r\n\r\n")


async def _gzip(request: Request, exchange: Exchange) -> None:
    packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    content = packer.compress(b'{"output": "unpacked"}') + packer.flush()
    await exchange.answer(content, headers={"Content-Encoding": "gzip"})


async def _not_gzip(request: Request, exchange: Exchange) -> None:
    await exchange.answer('{"output": 1}', headers={"Content-Encoding": "gzip"})


async def _loop(request: Request, exchange: Exchange) -> None:
    await exchange.answer("", status=307, headers={"Location": "/loop"})


async def _redirect(request: Request, exchange: Exchange) -> None:
    """`/redirect?to=/task&code=307`."""
    code = int(request.query.get("code", "307"))
    await exchange.answer("", status=code, headers={"Location": request.query["to"]})


async def _cut_in_body(request: Request, exchange: Exchange) -> None:
    await exchange.send(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"output": "half')
    exchange.writer.close()


async def _cut_in_chunks(request: Request, exchange: Exchange) -> None:
    await exchange.send(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n11\r\n{"output": "half.\r\n')
    exchange.writer.close()


async def _cut_before_headers(request: Request, exchange: Exchange) -> None:
    exchange.writer.close()


async def _reset(request: Request, exchange: Exchange) -> None:
    await exchange.reset()


def _fixed(
    body: bytes | str, *, status: int = 200, content_type: str = "application/json"
) -> Callable[[Request, Exchange], Awaitable[None]]:
    async def handler(request: Request, exchange: Exchange) -> None:
        await exchange.answer(body, status=status, content_type=content_type)

    return handler


ROUTES: dict[str, Handler] = {
    "/task": _task,
    "/echo": _echo,
    "/evaluate": _evaluate,
    "/evaluate-run": _evaluate_run,
    "/status": _status,
    "/gzip": _gzip,
    "/text": _fixed("plain words", content_type="text/plain; charset=utf-8"),
    "/hang": _hang,
    "/hang-in-body": _hang_in_body,
    "/trickle": _trickle,
    "/garbage": _garbage,
    "/declared-3-gib": _declared_3_gib,
    "/chunked-3-gib": _chunked_3_gib,
    "/gzip-bomb": _gzip_bomb,
    "/not-gzip": _not_gzip,
    "/loop": _loop,
    "/redirect": _redirect,
    "/cut-in-body": _cut_in_body,
    "/cut-in-chunks": _cut_in_chunks,
    "/cut-before-headers": _cut_before_headers,
    "/reset": _reset,
    "/invalid-json": _fixed("<html>Bad gateway</html>"),
    "/nan": _fixed('{"output": NaN}'),
    "/deep": _fixed("[" * 100_000 + "]" * 100_000),
    "/not-utf8": _fixed(b'{"output": "\xff\xfe"}'),
    "/empty": _fixed(""),
    "/no-content": _fixed("", status=204, content_type=""),
}
"""What is served without further ado, by path."""


async def _main() -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with Endpoints() as endpoints:
        print(json.dumps({"port": endpoints.port}), flush=True)
        await stopped.wait()


if __name__ == "__main__":
    asyncio.run(_main())
