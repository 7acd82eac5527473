"""What the stand-ins of applications share: a socket, a log of requests, and a command line."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Received:
    """A request as it came; header names are in lower case, and a body that is not JSON is None."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass
class Served:
    """An application on a port; an asynchronous context manager."""

    host: str = "127.0.0.1"
    port: int = 0
    requests: list[Received] = field(default_factory=list)
    _runner: web.AppRunner | None = field(default=None, repr=False)

    def routes(self) -> list[web.RouteDef]:
        """What is served; everything else is `unknown`."""
        raise NotImplementedError

    async def unknown(self, request: web.Request) -> web.StreamResponse:
        """Answers what no route takes."""
        return web.json_response({"detail": f"no route {request.path}"}, status=404)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def paths(self) -> list[str]:
        """The requests so far, as `METHOD /path`."""
        return [f"{request.method} {request.path}" for request in self.requests]

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[self._record], client_max_size=8 * 2**20)
        app.add_routes(self.routes())
        app.router.add_route("*", "/{anything:.*}", self.unknown)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, self.host, self.port).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    @web.middleware
    async def _record(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            body = json.loads(await request.read() or b"null")
        except ValueError:
            body = None
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append(Received(request.method, request.path, dict(request.query), headers, body))
        return await handler(request)


class EventWriter:
    """Writes server-sent events; `space` is whether one follows `data:`, as most servers write it."""

    def __init__(self, request: web.Request, *, space: bool = True) -> None:
        self._request = request
        self._prefix = b"data: " if space else b"data:"
        self.response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})

    async def __aenter__(self) -> Self:
        await self.response.prepare(self._request)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.response.write_eof()

    async def send(self, data: Any) -> None:
        """Sends one event; a string as it is, anything else as JSON."""
        text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
        await self.response.write(self._prefix + text.encode() + b"\n\n")

    async def raw(self, text: str) -> None:
        """Sends a block of lines as they are."""
        await self.response.write(text.encode() + b"\n\n")


def pieces(text: str, size: int = 7) -> list[str]:
    """Cuts a text as a model's tokens would."""
    return [text[start : start + size] for start in range(0, len(text), size)]


def command(text: str) -> tuple[str, list[str]]:
    """Reads `!name argument...` at the beginning of a question: what a stand-in is to do; else `("", [])`."""
    if not text.startswith("!"):
        return "", []
    name, *arguments = text[1:].split()
    return name, arguments


def parser(name: str, doc: str | None) -> argparse.ArgumentParser:
    """The options that every stand-in has as a process."""
    options = argparse.ArgumentParser(prog=f"python -m tests.standins.{name}", description=doc)
    options.add_argument("--host", default="127.0.0.1")
    options.add_argument("--port", type=int, default=0)
    return options


def run(served: Served, describe: Callable[[], str]) -> None:
    """Prints one line that says where it listens, then serves until SIGINT or SIGTERM."""

    async def serve() -> None:
        stopped = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        async with served:
            print(describe(), flush=True)
            await stopped.wait()

    asyncio.run(serve())
