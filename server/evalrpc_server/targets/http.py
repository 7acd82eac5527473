"""A task behind an HTTP endpoint that takes an item by POST and answers with its output."""

from __future__ import annotations

import msgspec

from evalrpc_server.domain.documents import MAX_DOCUMENT_BYTES
from evalrpc_server.domain.experiments import ExperimentRef
from evalrpc_server.domain.spec.tasks import HttpTask
from evalrpc_server.outbound.client import MAX_RESPONSE_BYTES
from evalrpc_server.outbound.failures import TASK_REASONS, CallFailedError, Failure
from evalrpc_server.outbound.json_answers import InvalidAnswerError, invalid_answer, json_text
from evalrpc_server.outbound.outbound import Outbound
from evalrpc_server.outbound.tracing import baggage
from evalrpc_server.targets.answers import OutputTooLargeError, read_task_answer
from evalrpc_server.targets.port import TaskAnswer, TaskCall, TaskError

_encode = msgspec.json.Encoder().encode


class HttpTarget:
    """Posts `{"input", "metadata", "item_id", "trial", "experiment"}` and reads the output from the answer.

    Documents are passed on byte for byte. Redirects are followed, and the pool's connections are shared by all targets.
    """

    def __init__(self, spec: HttpTask, outbound: Outbound) -> None:
        self._endpoint = outbound.endpoint(spec.url, headers=spec.headers, http2=spec.http2)
        self._include_expected_output = spec.include_expected_output
        self._experiment: tuple[ExperimentRef, str] | None = None

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
        """Does nothing: the connections belong to all targets."""

    async def _call(self, call: TaskCall) -> TaskAnswer:
        endpoint = self._endpoint
        response = await endpoint.post(
            self._body(call),
            headers=(
                (b"traceparent", call.traceparent.encode("ascii")),
                (b"baggage", baggage(call.experiment, call.item.id).encode("ascii")),
            ),
            max_response_bytes=MAX_RESPONSE_BYTES,
        )
        try:
            return read_task_answer(json_text(response, endpoint))
        except InvalidAnswerError as error:
            raise invalid_answer(error, endpoint) from None
        except OutputTooLargeError as error:
            raise CallFailedError(
                Failure.TOO_LARGE,
                f"answered with an output of {error.size_bytes} bytes of JSON; the limit is {MAX_DOCUMENT_BYTES} bytes.",
                endpoint=endpoint.origin,
                limit_bytes=str(MAX_DOCUMENT_BYTES),
                size_bytes=str(error.size_bytes),
            ) from None

    def _body(self, call: TaskCall) -> bytes:
        item = call.item
        expected = ""
        if self._include_expected_output and item.expected_output is not None:
            expected = f',"expected_output":{item.expected_output}'
        return (
            f'{{"input":{item.input},"metadata":{item.metadata or "null"}{expected},'
            f'"item_id":{_encode(item.id).decode()},"trial":{call.trial},'
            f'"experiment":{self._experiment_json(call.experiment)}}}'
        ).encode()

    def _experiment_json(self, experiment: ExperimentRef) -> str:
        """Returns the experiment as JSON, made once: a target serves one experiment."""
        if self._experiment is None or self._experiment[0] is not experiment:
            text = _encode(
                {"id": experiment.id, "name": experiment.name, "run_name": experiment.run_name}
            ).decode()
            self._experiment = (experiment, text)
        return self._experiment[1]
