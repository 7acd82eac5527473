"""Further HTTP calls around a trial's own: one before it, one after it, and polls for its result."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec

from evalrpc_server.domain.documents import Document, JsonValue
from evalrpc_server.domain.selectors import Selector
from evalrpc_server.domain.spec.http_task import HttpCall, HttpPolling
from evalrpc_server.outbound.client import MAX_RESPONSE_BYTES, HttpResponse
from evalrpc_server.outbound.endpoint import HttpEndpoint
from evalrpc_server.outbound.exchange import Header
from evalrpc_server.outbound.failures import TASK_REASONS, CallFailedError
from evalrpc_server.outbound.json_answers import InvalidAnswerError, invalid_answer, json_text
from evalrpc_server.outbound.outbound import Outbound
from evalrpc_server.targets.http_answers import AnswerReader, holds, optional_selector, parse, select
from evalrpc_server.targets.http_calls import CallTemplate, Scope
from evalrpc_server.targets.port import TaskError

logger = logging.getLogger(__name__)

_encode = msgspec.json.Encoder().encode
_AFTERWARDS_SECONDS = 30.0
_MOST_AFTERWARDS = 256
_MOST_FAILED_POLLS = 5

Sleep = Callable[[float], Awaitable[None]]
"""Waits so many seconds."""


class Captures:
    """Values to keep from answers.

    Args:
        selectors: by name.
    """

    def __init__(self, selectors: Mapping[str, str]) -> None:
        self._selectors = {name: Selector(text) for name, text in selectors.items()}

    def of(self, response: HttpResponse, endpoint: HttpEndpoint) -> dict[str, Document]:
        """Returns what the selectors find in an answer; nothing is read where there are none.

        Raises:
            CallFailedError: the answer is no JSON.
            InvalidAnswerError: a selector finds nothing.
        """
        if not self._selectors:
            return {}
        value = parse(json_text(response, endpoint))
        return {name: self._found(name, selector, value) for name, selector in self._selectors.items()}

    def _found(self, name: str, selector: Selector, value: JsonValue) -> Document:
        found = select(selector, value, f"capture.{name}")
        if found is None:
            raise InvalidAnswerError(
                "body", f"has nothing where capture.{name} looks, {selector.expression!r}"
            )
        return Document(_encode(found).decode("utf-8"))


class Step:
    """A call before or after a trial's own.

    Args:
        outbound: the way to the endpoint.
        spec: the call.
        name: of the call in the task, such as `pre_call`.
        http2: whether HTTP/2 may be used.
    """

    def __init__(self, outbound: Outbound, spec: HttpCall, *, name: str, http2: bool) -> None:
        self.name = name
        self._call = CallTemplate(
            outbound,
            spec.url,
            method=spec.method,
            headers=spec.headers,
            body=spec.body,
            field=f"http.{name}",
            http2=http2,
        )
        self._captures = Captures(spec.capture)

    async def run(self, scope: Scope, headers: Sequence[Header]) -> dict[str, Document]:
        """Makes the call and returns the values that it keeps.

        Raises:
            TaskError: the call failed.
        """
        endpoint = self._call.endpoint
        try:
            response = await self._call.send(scope, headers=headers, max_response_bytes=MAX_RESPONSE_BYTES)
            return self._captures.of(response, endpoint)
        except InvalidAnswerError as error:
            raise self._failed(invalid_answer(error, endpoint)) from None
        except CallFailedError as failure:
            raise self._failed(failure) from None

    def _failed(self, failure: CallFailedError) -> TaskError:
        return TaskError(
            failure.as_error(f"task's {self.name}", TASK_REASONS), retry_after=failure.retry_after
        )


class Afterwards:
    """Makes the calls after trials in the background, so that they neither delay nor fail a result."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._tasks: set[asyncio.Task[None]] = set()
        self._told = False

    async def room(self) -> None:
        """Waits until not too many calls are under way."""
        while len(self._tasks) >= _MOST_AFTERWARDS:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)

    def begin(self, scope: Scope, headers: Sequence[Header]) -> None:
        """Begins a call."""
        task = asyncio.create_task(self._run(scope, headers))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def aclose(self) -> None:
        """Waits for the calls that are under way."""
        await asyncio.gather(*self._tasks)

    async def _run(self, scope: Scope, headers: Sequence[Header]) -> None:
        try:
            async with asyncio.timeout(_AFTERWARDS_SECONDS):
                await self._step.run(scope, headers)
        except TaskError as error:
            self._tell(str(error))
        except TimeoutError:
            self._tell(f"no answer within {_AFTERWARDS_SECONDS:g} s")

    def _tell(self, problem: str) -> None:
        if not self._told:
            self._told = True
            logger.warning("a %s failed, and maybe more will: %s", self._step.name, problem)


class Polling:
    """Waits for the result of a call that only submits.

    Args:
        outbound: the way to the endpoint.
        spec: where to ask and what to look for.
        headers: of each poll.
        answers: tells the failures of the work.
        sleep: waits between polls.
        http2: whether HTTP/2 may be used.
    """

    def __init__(
        self,
        outbound: Outbound,
        spec: HttpPolling,
        *,
        headers: Mapping[str, str],
        answers: AnswerReader,
        sleep: Sleep,
        http2: bool,
    ) -> None:
        self._call = CallTemplate(
            outbound, spec.url, method="GET", headers=headers, body=None, field="http.polling", http2=http2
        )
        self._captures = Captures(spec.capture)
        self._done = Selector(spec.done)
        self._failed = optional_selector(spec.failed)
        self._interval = spec.interval
        self._answers = answers
        self._sleep = sleep

    async def result(
        self, submitted: HttpResponse, endpoint: HttpEndpoint, scope: Scope, headers: Sequence[Header]
    ) -> Document:
        """Asks until the result is there, and returns that answer.

        Polls that fail for a moment are repeated, as the submitted work goes on.

        Raises:
            TaskError: the work failed.
            CallFailedError: polls fail.
            InvalidAnswerError: an answer is of the wrong shape.
        """
        scope = with_captured(scope, self._captures.of(submitted, endpoint))
        failures = 0
        await self._sleep(self._interval)
        while True:
            try:
                response = await self._call.send(
                    scope, headers=headers, max_response_bytes=MAX_RESPONSE_BYTES
                )
            except CallFailedError as failure:
                failures += 1
                if not failure.retryable or failures > _MOST_FAILED_POLLS:
                    raise
                await self._sleep(max(self._interval, failure.retry_after or 0.0))
                continue
            failures = 0
            text = json_text(response, self._call.endpoint)
            if self._is_done(parse(text)):
                return text
            await self._sleep(self._interval)

    def _is_done(self, value: JsonValue) -> bool:
        if self._failed and holds(self._failed, value, "failed"):
            said = self._answers.message(value)
            if said is None:
                raise self._answers.failed("reports that the submitted work has failed", value)
            raise self._answers.failed(f"reports that the submitted work has failed: {said}")
        return holds(self._done, value, "done")


def with_captured(scope: Scope, captured: Mapping[str, Document]) -> Scope:
    """Returns the values of a trial with some more that were captured."""
    if not captured:
        return scope
    known = scope.get("captured")
    members = dict(msgspec.json.decode(known, type=dict[str, msgspec.Raw])) if known else {}
    members |= {name: msgspec.Raw(value.encode("utf-8")) for name, value in captured.items()}
    return {**scope, "captured": Document(_encode(members).decode("utf-8"))}
