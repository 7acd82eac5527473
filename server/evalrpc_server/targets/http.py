"""A task behind an HTTP endpoint: by default of evalrpc's own shape, by templates and selectors of any other."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from evalrpc_server.domain.documents import MAX_DOCUMENT_BYTES
from evalrpc_server.domain.spec.http_task import HttpEventStream, HttpTask
from evalrpc_server.outbound.client import MAX_RESPONSE_BYTES
from evalrpc_server.outbound.exchange import Header
from evalrpc_server.outbound.failures import TASK_REASONS, CallFailedError, Failure
from evalrpc_server.outbound.json_answers import InvalidAnswerError, invalid_answer, json_text
from evalrpc_server.outbound.outbound import Outbound
from evalrpc_server.outbound.streams import StreamLimits
from evalrpc_server.outbound.tracing import baggage
from evalrpc_server.targets.answers import OutputTooLargeError
from evalrpc_server.targets.http_answers import AnswerReader
from evalrpc_server.targets.http_calls import CallTemplate, Scope
from evalrpc_server.targets.http_steps import Afterwards, Polling, Sleep, Step, with_captured
from evalrpc_server.targets.http_streams import ACCEPTED, StreamReader
from evalrpc_server.targets.port import TaskAnswer, TaskCall, TaskError
from evalrpc_server.targets.templates import ItemScope

_BODILESS = frozenset({"GET", "HEAD", "DELETE"})


class HttpTarget:
    """Calls an endpoint once for each trial and reads the result from its answer.

    Without a template for the body it posts `{"input", "metadata", "item_id", "trial", "experiment"}`. Documents are passed
    on byte for byte. Redirects are followed, and the pool's connections are shared by all targets.

    Args:
        spec: the task.
        outbound: the way to the endpoint.
        sleep: waits between polls.
    """

    def __init__(self, spec: HttpTask, outbound: Outbound, *, sleep: Sleep = asyncio.sleep) -> None:
        self._scope = ItemScope(include_expected_output=spec.include_expected_output)
        self._template = CallTemplate(
            outbound,
            spec.url,
            method=spec.method,
            headers=spec.headers,
            body=spec.body,
            field="http",
            http2=spec.http2,
        )
        self._endpoint = self._template.endpoint
        self._sends_own_shape = spec.body is None and spec.method not in _BODILESS
        self._answers = AnswerReader(spec, self._endpoint)
        self._event_stream: tuple[HttpEventStream, StreamReader] | None = None
        if spec.event_stream:
            reader = StreamReader(spec.event_stream, self._answers, self._endpoint)
            self._event_stream = spec.event_stream, reader
        self._before = self._after = self._polling = None
        if spec.pre_call:
            self._before = Step(outbound, spec.pre_call, name="pre_call", http2=spec.http2)
        if spec.post_call:
            self._after = Afterwards(Step(outbound, spec.post_call, name="post_call", http2=spec.http2))
        if spec.polling:
            self._polling = Polling(
                outbound,
                spec.polling,
                headers=spec.headers,
                answers=self._answers,
                sleep=sleep,
                http2=spec.http2,
            )

    async def call(self, call: TaskCall) -> TaskAnswer:
        """Runs the task once.

        Raises:
            TaskError: the task gave no usable output.
        """
        try:
            return await self._call(call)
        except CallFailedError as failure:
            error = failure.as_error("task", TASK_REASONS)
            raise TaskError(error, retry_after=failure.retry_after) from None

    async def aclose(self) -> None:
        """Waits for calls that are made after trials; the connections belong to all targets."""
        if self._after:
            await self._after.aclose()

    async def _call(self, call: TaskCall) -> TaskAnswer:
        scope: Scope = self._scope.of(call)
        headers: Sequence[Header] = (
            (b"traceparent", call.traceparent.encode("ascii")),
            (b"baggage", baggage(call.experiment, call.item.id).encode("ascii")),
        )
        if self._after:
            await self._after.room()
        if self._before:
            scope = with_captured(scope, await self._before.run(scope, headers))
        try:
            return await self._answer(call, scope, headers)
        except InvalidAnswerError as error:
            raise invalid_answer(error, self._endpoint) from None
        except OutputTooLargeError as error:
            raise self._too_large(error) from None
        finally:
            if self._after:
                self._after.begin(scope, headers)

    async def _answer(self, call: TaskCall, scope: Scope, headers: Sequence[Header]) -> TaskAnswer:
        body = own_shape(scope) if self._sends_own_shape else b""
        if self._event_stream:
            spec, reader = self._event_stream
            limits = StreamLimits(chunk_seconds=call.timeout)
            async with self._template.stream(
                scope, body=body, headers=headers, accept=ACCEPTED[spec.format], limits=limits
            ) as stream:
                return await reader.read(stream)
        response = await self._template.send(
            scope, body=body, headers=headers, max_response_bytes=MAX_RESPONSE_BYTES
        )
        if self._polling:
            text = await self._polling.result(response, self._endpoint, scope, headers)
            return self._answers.read(text)
        return self._answers.read(json_text(response, self._endpoint))

    def _too_large(self, error: OutputTooLargeError) -> CallFailedError:
        return CallFailedError(
            Failure.TOO_LARGE,
            f"answered with an output of {error.size_bytes} bytes of JSON; the limit is {MAX_DOCUMENT_BYTES} bytes.",
            endpoint=self._endpoint.origin,
            limit_bytes=str(MAX_DOCUMENT_BYTES),
            size_bytes=str(error.size_bytes),
        )


def own_shape(scope: Scope) -> bytes:
    """Writes a call in evalrpc's own shape."""
    told = f',"expected_output":{scope["expected_output"]}' if "expected_output" in scope else ""
    return (
        f'{{"input":{scope["input"]},"metadata":{scope["metadata"]}{told},"item_id":{scope["item_id"]},'
        f'"trial":{scope["trial"]},"experiment":{scope["experiment"]}}}'
    ).encode()
