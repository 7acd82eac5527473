"""An `AsyncClient` driven from ordinary code, so that one test runs against both clients."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterable, Callable, Iterator
from functools import wraps
from types import TracebackType
from typing import Any, Self

from evalrpc import AsyncClient, AsyncRun


class Blocking:
    """Stands in for a `Client`: has its methods, and waits for what they return."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        self._runner = asyncio.Runner()
        try:
            self._client = self._runner.run(_made(*args, **settings))
        except BaseException:
            self._runner.close()
            raise

    def __getattr__(self, name: str) -> Any:
        return _blocking(self._runner, getattr(self._client, name))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._runner.run(self._client.close())
        self._runner.close()


class BlockingRun:
    """Stands in for a `Run`."""

    def __init__(self, runner: asyncio.Runner, run: AsyncRun) -> None:
        self._runner = runner
        self._run = run

    def __iter__(self) -> Iterator[Any]:
        return _iterated(self._runner, self._run)

    def __getattr__(self, name: str) -> Any:
        return _blocking(self._runner, getattr(self._run, name))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._run.aclose())


async def _made(*args: Any, **settings: Any) -> AsyncClient:
    return AsyncClient(*args, **settings)


def _blocking(runner: asyncio.Runner, attribute: Any) -> Any:
    if not callable(attribute):
        return attribute
    function: Callable[..., Any] = attribute

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        answer = function(*args, **kwargs)
        if inspect.iscoroutine(answer):
            return runner.run(answer)
        if isinstance(answer, AsyncRun):
            return BlockingRun(runner, answer)
        return _iterated(runner, answer) if isinstance(answer, AsyncIterable) else answer

    return call


def _iterated(runner: asyncio.Runner, values: AsyncIterable[Any]) -> Iterator[Any]:
    iterator = aiter(values)

    async def following() -> tuple[bool, Any]:
        try:
            return True, await anext(iterator)
        except StopAsyncIteration:
            return False, None

    while True:
        found, value = runner.run(following())
        if not found:
            return
        yield value
