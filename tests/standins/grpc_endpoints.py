"""gRPC endpoints as users write them: `TaskService` and `EvaluationService`, with faults by item id.

`async with GrpcEndpoints() as endpoints: ... endpoints.address`; `requests` and `metadata` tell what was received.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Self

import grpc
import grpc.aio
from google.protobuf import duration_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_reflection.v1alpha import reflection
from grpc_status import rpc_status

from evalrpc.v1 import (
    error_pb2,
    evaluation_pb2,
    evaluation_service_pb2,
    evaluation_service_pb2_grpc,
    item_pb2,
    json_pb2,
    task_service_pb2,
    task_service_pb2_grpc,
)


@dataclass
class GrpcEndpoints(
    task_service_pb2_grpc.TaskServiceServicer, evaluation_service_pb2_grpc.EvaluationServiceServicer
):
    """A listening server. An item whose id is the name of a status code in lower case is answered with that status."""

    requests: list[Any] = field(default_factory=list)
    metadata: list[dict[str, Any]] = field(default_factory=list)
    in_flight: int = 0
    cancelled: int = 0
    address: str = ""
    credentials: grpc.ServerCredentials | None = None

    def __post_init__(self) -> None:
        self.changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        self.server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        task_service_pb2_grpc.add_TaskServiceServicer_to_server(self, self.server)
        evaluation_service_pb2_grpc.add_EvaluationServiceServicer_to_server(self, self.server)
        services = ("evalrpc.v1.TaskService", "evalrpc.v1.EvaluationService", reflection.SERVICE_NAME)
        reflection.enable_server_reflection(services, self.server)
        if self.credentials is None:
            port = self.server.add_insecure_port("127.0.0.1:0")
        else:
            port = self.server.add_secure_port("127.0.0.1:0", self.credentials)
        self.address = f"127.0.0.1:{port}"
        await self.server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.server.stop(None)

    async def until(self, condition: Any, *, seconds: float = 10) -> None:
        """Waits until a condition over this object holds; raises TimeoutError if it does not in time."""
        async with asyncio.timeout(seconds):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    async def RunTask(self, request, context):  # noqa: N802 - gRPC's name
        await self._enter(request, request.item_id, context)
        return self._task_answer(request)

    def _task_answer(self, request: task_service_pb2.RunTaskRequest) -> task_service_pb2.RunTaskResponse:
        response = task_service_pb2.RunTaskResponse()
        match request.item_id:
            case "null":
                pass
            case "not-json":
                response.output.text = "{"
            case "too-large":
                response.output.text = json.dumps("x" * 2**20)
            case "5-mib":
                response.output.text = json.dumps("x" * 5 * 2**20)
            case "full":
                response.output.text = '{"a": 1.10}'
                response.contexts.add(text="t", id="1", source="s", score=0.5)
                response.contexts.add(text="u")
                response.usage.CopyFrom(item_pb2.Usage(input_tokens=3, cost_usd=0.5, model="m"))
                response.metadata.text = '{"k": 1}'
            case "nan-score":
                response.contexts.add(score=float("nan"))
            case "negative-tokens":
                response.usage.input_tokens = -1
            case "list-metadata":
                response.metadata.text = "[1]"
            case "echo":
                received = str(self.metadata[-1].get("authorization"))
                response.output.text = json.dumps(received)
                response.contexts.add(text=received)
            case _:
                response.output.CopyFrom(request.input)
        return response

    async def EvaluateItem(self, request, context):  # noqa: N802 - gRPC's name
        await self._enter(request, request.item_id, context)
        answers: dict[str, list[evaluation_pb2.Evaluation]] = {
            "all-kinds": [
                evaluation_pb2.Evaluation(name="n", number=0.5, comment="c", config_id="cfg"),
                evaluation_pb2.Evaluation(name="b", boolean=False, metadata=json_pb2.Json(text='{"k": 1.0}')),
                evaluation_pb2.Evaluation(name="l", label="good"),
                evaluation_pb2.Evaluation(
                    name="u", unscored=evaluation_pb2.Unscored(reason="nothing to say")
                ),
                evaluation_pb2.Evaluation(name="e", error=error_pb2.Error(reason="MY_OWN", message="broke")),
                evaluation_pb2.Evaluation(name="none"),
            ],
            "nan": [evaluation_pb2.Evaluation(number=1), evaluation_pb2.Evaluation(number=float("nan"))],
            "many": [evaluation_pb2.Evaluation(number=1)] * 101,
        }
        equal = request.output == request.expected_output
        return evaluation_service_pb2.EvaluateItemResponse(
            evaluations=answers.get(request.item_id, [evaluation_pb2.Evaluation(boolean=equal)])
        )

    async def EvaluateRun(self, request_iterator: AsyncIterator[Any], context):  # noqa: N802 - gRPC's name
        count = 0
        async for request in request_iterator:
            await self._enter(request, request.item_result.item.id, context)
            count += request.HasField("item_result")
        return evaluation_service_pb2.EvaluateRunResponse(
            evaluations=[evaluation_pb2.Evaluation(name="results", number=count)]
        )

    async def _enter(self, request: Any, item_id: str, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata() or ()))
        self.in_flight += 1
        self.changed.set()
        try:
            if item_id == "hang":
                await asyncio.Event().wait()
            if item_id == "retry-info":
                await context.abort_with_status(_retry_in(7))
            code = grpc.StatusCode.__members__.get(item_id.upper().replace("-", "_"))
            if code is not None:
                told = self.metadata[-1].get("authorization", "nothing")
                await context.abort(code, f"went wrong; received {told}")
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.in_flight -= 1
            self.changed.set()


def _retry_in(seconds: int) -> Any:
    status = status_pb2.Status(code=code_pb2.UNAVAILABLE, message="busy")
    detail = error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=seconds))
    status.details.add().Pack(detail)
    return rpc_status.to_status(status)
