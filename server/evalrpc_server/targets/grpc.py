"""A task behind a gRPC endpoint that implements `evalrpc.v1.TaskService`."""

from __future__ import annotations

import math
from typing import Literal

import grpc

from evalrpc.v1 import task_service_pb2, task_service_pb2_grpc
from evalrpc_server.domain.documents import (
    MAX_DOCUMENT_BYTES,
    Document,
    DocumentTooLargeError,
    InvalidDocumentError,
)
from evalrpc_server.domain.results import Context, Usage
from evalrpc_server.domain.spec.tasks import GrpcTask
from evalrpc_server.outbound.failures import TASK_REASONS, CallFailedError, Failure
from evalrpc_server.outbound.outbound import Outbound
from evalrpc_server.outbound.tracing import baggage
from evalrpc_server.protobuf.documents import Encoding, document_from_message, document_to_message
from evalrpc_server.protobuf.values import context_from_message, usage_from_message
from evalrpc_server.targets.answers import MAX_CONTEXTS
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
        try:
            response = await stub.RunTask(
                self._request(call), timeout=call.timeout + _DEADLINE_MARGIN, metadata=metadata
            )
        except grpc.aio.AioRpcError as error:
            raise self._endpoint.failure(error) from None
        self._endpoint.redact_answer(response)
        return response

    def _request(self, call: TaskCall) -> task_service_pb2.RunTaskRequest:
        item, experiment = call.item, call.experiment
        request = task_service_pb2.RunTaskRequest(
            input=document_to_message(item.input, Encoding.TEXT),
            item_id=item.id,
            trial=call.trial,
            experiment=task_service_pb2.ExperimentInfo(
                id=experiment.id, name=experiment.name, run_name=experiment.run_name
            ),
        )
        if item.metadata is not None:
            request.metadata.CopyFrom(document_to_message(item.metadata, Encoding.TEXT))
        if self._include_expected_output and item.expected_output is not None:
            request.expected_output.CopyFrom(document_to_message(item.expected_output, Encoding.TEXT))
        return request

    def _read(self, response: task_service_pb2.RunTaskResponse) -> TaskAnswer:
        return TaskAnswer(
            output=self._document(response, "output") or Document("null"),
            contexts=self._contexts(response),
            usage=self._usage(response),
            metadata=self._document(response, "metadata"),
        )

    def _document(
        self, response: task_service_pb2.RunTaskResponse, field: Literal["output", "metadata"]
    ) -> Document | None:
        if not response.HasField(field):
            return None
        try:
            document = document_from_message(getattr(response, field))
        except DocumentTooLargeError as error:
            raise CallFailedError(
                Failure.TOO_LARGE,
                f"answered with {field} of {error.size_bytes} bytes of JSON; the limit is {MAX_DOCUMENT_BYTES} bytes.",
                endpoint=self._endpoint.address,
                limit_bytes=str(MAX_DOCUMENT_BYTES),
                size_bytes=str(error.size_bytes),
            ) from None
        except InvalidDocumentError as error:
            raise self._invalid(field, str(error)) from None
        if field == "metadata" and not document.lstrip().startswith("{"):
            raise self._invalid(field, "must be an object")
        return document

    def _contexts(self, response: task_service_pb2.RunTaskResponse) -> tuple[Context, ...]:
        if len(response.contexts) > MAX_CONTEXTS:
            raise self._invalid("contexts", f"must have at most {MAX_CONTEXTS} entries")
        for index, context in enumerate(response.contexts):
            if not math.isfinite(context.score):
                raise self._invalid(f"contexts[{index}].score", "must be a finite number")
        return tuple(context_from_message(context) for context in response.contexts)

    def _usage(self, response: task_service_pb2.RunTaskResponse) -> Usage | None:
        if not response.HasField("usage"):
            return None
        given = response.usage
        for field in ("input_tokens", "output_tokens", "cost_usd"):
            if not 0 <= getattr(given, field) < math.inf:
                raise self._invalid(f"usage.{field}", "must be finite and not negative")
        return usage_from_message(given)

    def _invalid(self, field: str, problem: str) -> CallFailedError:
        return CallFailedError(
            Failure.INVALID_ANSWER,
            f"gave an answer whose {field} {problem}.",
            endpoint=self._endpoint.address,
            field=field,
            description=problem,
        )
