"""A task that is a Dify application: a chat, an agent, a chatflow, a text generator, or a workflow.

https://docs.dify.ai/api-reference
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from urllib.parse import quote, urlsplit

import msgspec

from evalrpc_server.domain.documents import Document, JsonValue
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.spec.llm_tasks import DifyApp, DifyResponseMode, DifyTask
from evalrpc_server.domain.templates import JsonTemplate, TemplateError
from evalrpc_server.outbound.client import HttpResponse
from evalrpc_server.outbound.event_stream import read_events
from evalrpc_server.outbound.exchange import Header
from evalrpc_server.outbound.failures import TASK_REASONS, CallFailedError
from evalrpc_server.outbound.http_failures import too_large
from evalrpc_server.outbound.outbound import Outbound
from evalrpc_server.outbound.retries import RETRYABLE_STATUSES
from evalrpc_server.outbound.streams import HttpStream, StreamLimits
from evalrpc_server.targets.dify_events import Transcript, transcript_of
from evalrpc_server.targets.json_paths import at, count_at, text_at
from evalrpc_server.targets.port import TaskAnswer, TaskCall, TaskError
from evalrpc_server.targets.questions import Question
from evalrpc_server.targets.templates import ItemScope, item_value, template_failed
from evalrpc_server.targets.vendors import (
    MAX_ANSWER_BYTES,
    Answer,
    ask,
    bad_status,
    below,
    failed,
    invalid_answer,
    not_json,
    output_document,
    quoted,
    read,
    said_about_itself,
    trace_headers,
    vendor_endpoint,
)

USER = "evalrpc"
"""Who asks unless the spec says so; Dify refuses calls of nobody."""

_NO_BLOCKING = "does not support blocking mode"
_MODEL_FAILED = "completion_request_error"
_NO_QUOTA = "provider_quota_exceeded"
_LIMITS = StreamLimits(
    max_line_bytes=MAX_ANSWER_BYTES, chunk_seconds=86_400.0
)  # the task's time-out comes first

_encode = msgspec.json.Encoder().encode


class DifyTarget:
    """Calls the application once for each call, and puts a streamed answer together.

    Dify's own trace of a run takes over the trace id of the item. An application that refuses to answer in one document is
    asked for a stream from then on.
    """

    def __init__(self, spec: DifyTask, outbound: Outbound) -> None:
        self._app = spec.application
        self._streaming = spec.response_mode is DifyResponseMode.STREAMING
        self._question = Question(spec.query, field="dify.query")
        self._inputs = JsonTemplate(spec.inputs) if spec.inputs else None
        self._user = spec.user
        self._workflow_id = spec.workflow_id
        self._output_variable = spec.output_variable
        self._scope = ItemScope()
        self._endpoint = vendor_endpoint(outbound, _url(spec), api_key=spec.api_key, headers=spec.headers)

    async def call(self, call: TaskCall) -> TaskAnswer:
        """Runs the task once.

        Raises:
            TaskError: the application gave no usable output.
        """
        body = self._body(call)
        headers = (*trace_headers(call), (b"x-trace-id", call.trace_id.encode("ascii")))
        try:
            if self._streaming:
                transcript = await self._stream(call, body, headers)
            else:
                transcript = await self._block(call, body, headers)
        except CallFailedError as failure:
            error = failure.as_error("task", TASK_REASONS)
            raise TaskError(error, retry_after=failure.retry_after) from None
        return self._answer(transcript)

    async def aclose(self) -> None:
        """Does nothing: the connections belong to all targets."""

    def _body(self, call: TaskCall) -> dict[str, JsonValue]:
        scope = self._scope.of(call)
        inputs = self._rendered_inputs(scope)
        user = self._user or text_at(inputs, "user") or USER
        body: dict[str, JsonValue] = {"inputs": inputs, "user": user}
        if self._app is DifyApp.WORKFLOW:
            return body
        body["query"] = self._question.of(scope)
        if self._app is DifyApp.COMPLETION:
            inputs.setdefault("query", body["query"])
            return body
        body["auto_generate_name"] = False
        if self._workflow_id:
            body["workflow_id"] = self._workflow_id
        return body

    def _rendered_inputs(self, scope: Mapping[str, Document]) -> dict[str, JsonValue]:
        """Returns the variables; of a workflow without any in its spec, the item's input where that is an object."""
        if self._inputs is None:
            given = scope["input"]
            own = self._app is DifyApp.WORKFLOW and given.startswith("{")
            return dict(item_value(given, "dify.inputs")) if own else {}
        try:
            rendered = self._inputs.render(scope)
        except TemplateError as error:
            raise template_failed(error, "dify.inputs") from None
        return dict(item_value(rendered, "dify.inputs"))

    async def _block(
        self, call: TaskCall, body: dict[str, JsonValue], headers: tuple[Header, ...]
    ) -> Transcript:
        answer = await ask(self._endpoint, _encode({**body, "response_mode": "blocking"}), headers=headers)
        if not answer.ok and _NO_BLOCKING in text_at(answer.value, "message"):
            self._streaming = True
            return await self._stream(call, body, headers)
        return self._read_document(call, answer)

    async def _stream(
        self, call: TaskCall, body: dict[str, JsonValue], headers: tuple[Header, ...]
    ) -> Transcript:
        sent = _encode({**body, "response_mode": "streaming"})
        async with self._endpoint.stream(sent, headers=headers, limits=_LIMITS, any_status=True) as stream:
            kind = stream.headers.get("content-type", "").lower()
            if not 200 <= stream.status < 300 or kind.startswith("application/json"):
                response = HttpResponse(stream.status, stream.headers, await _whole(stream))
                return self._read_document(call, read(response, self._endpoint))
            return await self._read_stream(call, stream)

    async def _read_stream(self, call: TaskCall, stream: HttpStream) -> Transcript:
        transcript = Transcript()
        async with aclosing(read_events(stream)) as events:
            async for event in events:
                try:
                    value = msgspec.json.decode(self._endpoint.redact_answer(event.data))
                except (msgspec.DecodeError, RecursionError):
                    raise invalid_answer(self._endpoint, "event", "must be JSON") from None
                if at(value, "event") == "error":
                    stream.throttled = count_at(value, "status") == 429
                    raise self._failed_within(call, value)
                transcript.add(value, workflow=self._app is DifyApp.WORKFLOW)
                if transcript.ended:
                    return transcript
        self._check_run(transcript.run)
        raise failed(
            self._endpoint,
            "ended its stream before its answer was complete; see its own log",
            reason=Reason.TASK_TRUNCATED,
            retryable=True,
        )

    def _read_document(self, call: TaskCall, answer: Answer) -> Transcript:
        if not answer.ok:
            raise self._refused(call, answer)
        if answer.value is None:
            raise not_json(answer)
        if not isinstance(answer.value, dict):
            raise invalid_answer(self._endpoint, "body", "must be an object")
        if at(answer.value, "event") == "error":
            raise self._failed_within(call, answer.value)
        name = "data" if self._app is DifyApp.WORKFLOW else "answer"
        if name not in answer.value:
            raise invalid_answer(
                self._endpoint, name, "is missing; check the url and the kind of application"
            )
        return transcript_of(answer.value)

    def _refused(self, call: TaskCall, answer: Answer) -> TaskError:
        """Makes the failure of a call with a status that is not 2xx."""
        code, said = text_at(answer.value, "code"), text_at(answer.value, "message")
        if code == _NO_QUOTA:
            return bad_status(
                answer, said=said, code=code, reason=Reason.TASK_QUOTA_EXHAUSTED, retryable=False
            )
        return bad_status(answer, said=said, code=code, retryable=_may_pass(call, code, answer.status))

    def _failed_within(self, call: TaskCall, event: JsonValue) -> TaskError:
        """Makes the failure of an error within an answer with status 200."""
        code, status = text_at(event, "code"), count_at(event, "status") or 0
        exhausted = code == _NO_QUOTA
        return failed(
            self._endpoint,
            f"reports a failure in an answer with status 200: {quoted(self._endpoint, text_at(event, 'message'))}",
            reason=Reason.TASK_QUOTA_EXHAUSTED if exhausted else Reason.TASK_FAILED,
            retryable=not exhausted and bool(_may_pass(call, code, status)),
            code=code,
            status=str(status or ""),
        )

    def _answer(self, transcript: Transcript) -> TaskAnswer:
        self._check_run(transcript.run)
        workflow = self._app is DifyApp.WORKFLOW
        partial = at(transcript.run, "status") == "partial-succeeded"
        return TaskAnswer(
            output=output_document(
                self._endpoint, self._output(transcript.run) if workflow else transcript.answer
            ),
            contexts=transcript.contexts,
            usage=transcript.usage,
            metadata=said_about_itself(
                **transcript.identifiers,
                tool_calls=transcript.tool_calls,
                total_tokens=count_at(transcript.run, "total_tokens"),
                status=text_at(transcript.run, "status") if partial else "",
                error=quoted(self._endpoint, text_at(transcript.run, "error")) if partial else "",
            ),
        )

    def _check_run(self, run: JsonValue) -> None:
        """Refuses the run of a workflow that has failed, in an answer with status 200."""
        status = text_at(run, "status")
        if status in {"", "succeeded", "partial-succeeded"}:
            return
        said = f": {quoted(self._endpoint, error)}" if (error := text_at(run, "error")) else ""
        raise failed(self._endpoint, f"reports that its workflow {status}{said}", code=status)

    def _output(self, run: JsonValue) -> JsonValue:
        outputs = at(run, "outputs")
        if not isinstance(outputs, dict):
            raise invalid_answer(self._endpoint, "data.outputs", "must be an object")
        if not self._output_variable:
            return next(iter(outputs.values())) if len(outputs) == 1 else outputs
        if self._output_variable not in outputs:
            raise invalid_answer(
                self._endpoint,
                f"data.outputs.{self._output_variable}",
                f"is missing; there is {', '.join(sorted(outputs)) or 'none'}",
            )
        return outputs[self._output_variable]


def _url(spec: DifyTask) -> str:
    if urlsplit(spec.url).path.rstrip("/").endswith(spec.call_path):
        return spec.url
    if spec.application is DifyApp.WORKFLOW and spec.workflow_id:
        return below(spec.url, f"/workflows/{quote(spec.workflow_id, safe='')}/run")
    return below(spec.url, spec.call_path)


def _may_pass(call: TaskCall, code: str, status: int) -> bool | None:
    """Returns whether a failure may pass; None where its status decides.

    Dify says completion_request_error of whatever its model's provider said, so that it is worth one more attempt.
    """
    if code == _MODEL_FAILED:
        return call.attempt == 1
    return status in RETRYABLE_STATUSES


async def _whole(stream: HttpStream) -> bytes:
    body = bytearray()
    async with aclosing(stream.chunks()) as chunks:
        async for chunk in chunks:
            body += chunk
            if len(body) > MAX_ANSWER_BYTES:
                raise too_large(stream.url, len(body), MAX_ANSWER_BYTES)
    return bytes(body)
