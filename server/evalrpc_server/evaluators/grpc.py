"""Evaluators behind gRPC endpoints that implement `evalrpc.v1.EvaluationService`, of items and of runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import grpc

from evalrpc.v1 import evaluation_pb2, evaluation_service_pb2, evaluation_service_pb2_grpc, task_service_pb2
from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.experiments import ExperimentRef
from evalrpc_server.domain.results import ItemResult
from evalrpc_server.domain.spec.evaluators import GrpcEvaluator as GrpcSpec
from evalrpc_server.evaluators.answers import MAX_EVALUATIONS, MAX_NAME
from evalrpc_server.evaluators.port import Case, EvaluatorError
from evalrpc_server.outbound.failures import EVALUATOR_REASONS, CallFailedError, Failure
from evalrpc_server.outbound.outbound import Outbound
from evalrpc_server.outbound.tracing import baggage, traceparent
from evalrpc_server.protobuf.documents import Encoding, document_to_message
from evalrpc_server.protobuf.evaluations import (
    InvalidEvaluationError,
    evaluation_from_message,
    evaluation_to_message,
)
from evalrpc_server.protobuf.results import result_to_message
from evalrpc_server.protobuf.values import context_to_message, duration, usage_to_message


class GrpcEvaluator:
    """Calls `EvaluateItem` and `EvaluateRun` over a channel of its own. Documents are sent as JSON text."""

    def __init__(self, spec: GrpcSpec, name: str, outbound: Outbound) -> None:
        self._endpoint = outbound.grpc_endpoint(
            evaluation_service_pb2_grpc.EvaluationServiceStub,
            spec.target,
            tls=spec.tls,
            metadata=spec.metadata,
        )
        self._name = name
        self._evaluator = spec.evaluator or name

    @property
    def reference(self) -> str:
        """Who judges: the evaluator's name, as an endpoint tells no version."""
        return self._name

    async def evaluate(self, case: Case) -> Sequence[Evaluation]:
        """Returns the evaluations of a case.

        Raises:
            EvaluatorError: the endpoint gave none.
        """
        own = {"baggage": baggage(case.experiment, case.item.id)}
        if case.trace_id:
            own["traceparent"] = traceparent(case.trace_id, case.span_id)
        try:
            stub = await self._endpoint.stub()
            metadata = self._endpoint.metadata(own)
            try:
                response = await stub.EvaluateItem(self._item_request(case), metadata=metadata)
            except grpc.aio.AioRpcError as error:
                raise self._endpoint.failure(error) from None
            return self._read(response)
        except CallFailedError as failure:
            raise EvaluatorError(failure.as_error("evaluator", EVALUATOR_REASONS)) from None

    async def evaluate_run(
        self, experiment: ExperimentRef, results: AsyncIterator[Sequence[ItemResult]]
    ) -> Sequence[Evaluation]:
        """Returns the evaluations of a run, whose results are sent as they are read.

        Raises:
            EvaluatorError: the endpoint gave none.
        """
        try:
            stub = await self._endpoint.stub()
            metadata = self._endpoint.metadata({})
            try:
                response = await stub.EvaluateRun(self._run_requests(experiment, results), metadata=metadata)
            except grpc.aio.AioRpcError as error:
                raise self._endpoint.failure(error) from None
            return self._read(response)
        except CallFailedError as failure:
            raise EvaluatorError(failure.as_error("run evaluator", EVALUATOR_REASONS)) from None

    async def aclose(self) -> None:
        """Closes the channel."""
        await self._endpoint.aclose()

    def _item_request(self, case: Case) -> evaluation_service_pb2.EvaluateItemRequest:
        item = case.item
        request = evaluation_service_pb2.EvaluateItemRequest(
            evaluator=self._evaluator,
            input=document_to_message(item.input, Encoding.TEXT),
            output=document_to_message(case.output, Encoding.TEXT),
            contexts=[context_to_message(context) for context in case.contexts],
            item_id=item.id,
            trial=case.trial,
            experiment=_experiment(case.experiment),
            evaluations=[evaluation_to_message(evaluation, Encoding.TEXT) for evaluation in case.evaluations],
            task_duration=duration(case.duration),
            usage=usage_to_message(case.usage),
        )
        if item.expected_output is not None:
            request.expected_output.CopyFrom(document_to_message(item.expected_output, Encoding.TEXT))
        if item.metadata is not None:
            request.metadata.CopyFrom(document_to_message(item.metadata, Encoding.TEXT))
        return request

    async def _run_requests(
        self, experiment: ExperimentRef, results: AsyncIterator[Sequence[ItemResult]]
    ) -> AsyncIterator[evaluation_service_pb2.EvaluateRunRequest]:
        header = evaluation_service_pb2.EvaluateRunHeader(
            evaluator=self._evaluator, experiment=_experiment(experiment)
        )
        yield evaluation_service_pb2.EvaluateRunRequest(header=header)
        async for chunk in results:
            for result in chunk:
                message = result_to_message(result, Encoding.TEXT)
                yield evaluation_service_pb2.EvaluateRunRequest(item_result=message)

    def _read(
        self,
        response: evaluation_service_pb2.EvaluateItemResponse | evaluation_service_pb2.EvaluateRunResponse,
    ) -> Sequence[Evaluation]:
        self._endpoint.redact_answer(response)
        found = response.evaluations
        if len(found) > MAX_EVALUATIONS:
            raise self._invalid("evaluations", f"must be at most {MAX_EVALUATIONS}, not {len(found)}")
        return tuple(
            self._evaluation(message, f"evaluations[{index}]") for index, message in enumerate(found)
        )

    def _evaluation(self, message: evaluation_pb2.Evaluation, path: str) -> Evaluation:
        if len(message.name) > MAX_NAME:
            raise self._invalid(f"{path}.name", f"must be at most {MAX_NAME} characters")
        try:
            return evaluation_from_message(message)
        except InvalidEvaluationError as error:
            raise self._invalid(f"{path}.{error.field}", error.problem) from None

    def _invalid(self, field: str, problem: str) -> CallFailedError:
        return CallFailedError(
            Failure.INVALID_ANSWER,
            f"gave an answer whose {field} {problem}.",
            endpoint=self._endpoint.address,
            field=field,
            description=problem,
        )


def _experiment(experiment: ExperimentRef) -> task_service_pb2.ExperimentInfo:
    return task_service_pb2.ExperimentInfo(
        id=experiment.id, name=experiment.name, run_name=experiment.run_name
    )
