"""A task behind a gRPC endpoint that implements `evalrpc.v1.TaskService`."""

from __future__ import annotations

from evalrpc.v1 import task_service_pb2, task_service_pb2_grpc
from evalrpc_server.domain.documents import MAX_DOCUMENT_BYTES
from evalrpc_server.domain.spec.tasks import GrpcTask
from evalrpc_server.outbound.failures import TASK_REASONS, CallFailedError, Failure
from evalrpc_server.outbound.json_answers import InvalidAnswerError
from evalrpc_server.outbound.outbound import Outbound
from evalrpc_server.outbound.tracing import baggage
from evalrpc_server.targets.messages import FieldTooLargeError, task_answer, task_request
from evalrpc_server.targets.port import TaskAnswer, TaskCall, TaskError

_DEADLINE_MARGIN = 1.0  # seconds; the caller's own time-out comes first and tells better what happened


class GrpcTarget:
    """Calls `RunTask` over a channel of its own. Documents are sent as JSON text, exact to the last digit."""

    def __init__(self, spec: GrpcTask, outbound: Outbound) -> None:
        self._endpoint = outbound.grpc_endpoint(
            task_service_pb2_grpc.TaskServiceStub, spec.target, tls=spec.tls, metadata=spec.metadata
        )
        self._include_expected_output = spec.include_expected_output

    async def call(self, call: TaskCall) -> TaskAnswer:
        """Runs the task once.

        Raises:
            TaskError: the task gave no usable output.
        """
        try:
            return self._read(await self._call(call))
        except CallFailedError as failure:
            error = failure.as_error("task", TASK_REASONS)
            raise TaskError(error, retry_after=failure.retry_after) from None

    async def aclose(self) -> None:
        """Closes the channel."""
        await self._endpoint.aclose()

    async def _call(self, call: TaskCall) -> task_service_pb2.RunTaskResponse:
        stub = await self._endpoint.stub()
        metadata = self._endpoint.metadata(
            {"traceparent": call.traceparent, "baggage": baggage(call.experiment, call.item.id)}
        )
        async with self._endpoint.turn():
            response = await stub.RunTask(
                task_request(call, include_expected_output=self._include_expected_output),
                timeout=call.timeout + _DEADLINE_MARGIN,
                metadata=metadata,
            )
        self._endpoint.redact_answer(response)
        return response

    def _read(self, response: task_service_pb2.RunTaskResponse) -> TaskAnswer:
        try:
            return task_answer(response)
        except FieldTooLargeError as error:
            raise CallFailedError(
                Failure.TOO_LARGE,
                f"answered with {error.field} of {error.size_bytes} bytes of JSON; "
                f"the limit is {MAX_DOCUMENT_BYTES} bytes.",
                endpoint=self._endpoint.address,
                limit_bytes=str(MAX_DOCUMENT_BYTES),
                size_bytes=str(error.size_bytes),
            ) from None
        except InvalidAnswerError as error:
            raise CallFailedError(
                Failure.INVALID_ANSWER,
                f"gave an answer whose {error.field} {error.problem}.",
                endpoint=self._endpoint.address,
                field=error.field,
                description=error.problem,
            ) from None
