"""Evaluators behind gRPC endpoints that implement `evalrpc.v1.EvaluationService`, of items and of runs."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Sequence

from evalrpc.v1 import evaluation_service_pb2, evaluation_service_pb2_grpc
from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.experiments import ExperimentRef
from evalrpc_server.domain.results import ItemResult
from evalrpc_server.domain.spec.evaluators import GrpcEvaluator as GrpcSpec
from evalrpc_server.evaluators.messages import item_request, read_evaluations, run_header
from evalrpc_server.evaluators.port import Case, EvaluatorError
from evalrpc_server.outbound.failures import EVALUATOR_REASONS, CallFailedError, Failure
from evalrpc_server.outbound.json_answers import InvalidAnswerError
from evalrpc_server.outbound.outbound import Outbound
from evalrpc_server.outbound.tracing import baggage, traceparent
from evalrpc_server.protobuf.documents import Encoding
from evalrpc_server.protobuf.results import result_to_message


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
            async with self._endpoint.turn():
                response = await stub.EvaluateItem(item_request(case, self._evaluator), metadata=metadata)
            return self._read(response)
        except CallFailedError as failure:
            raise EvaluatorError(failure.as_error("evaluator", EVALUATOR_REASONS)) from None

    async def evaluate_run(
        self, experiment: ExperimentRef, results: AsyncIterable[Sequence[ItemResult]]
    ) -> Sequence[Evaluation]:
        """Returns the evaluations of a run, whose results are sent as they are read.

        Raises:
            EvaluatorError: the endpoint gave none.
        """
        try:
            stub = await self._endpoint.stub()
            metadata = self._endpoint.metadata({})
            async with self._endpoint.turn():
                response = await stub.EvaluateRun(self._run_requests(experiment, results), metadata=metadata)
            return self._read(response)
        except CallFailedError as failure:
            raise EvaluatorError(failure.as_error("run evaluator", EVALUATOR_REASONS)) from None

    async def aclose(self) -> None:
        """Closes the channel."""
        await self._endpoint.aclose()

    async def _run_requests(
        self, experiment: ExperimentRef, results: AsyncIterable[Sequence[ItemResult]]
    ) -> AsyncIterator[evaluation_service_pb2.EvaluateRunRequest]:
        header = run_header(experiment, self._evaluator)
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
        try:
            return read_evaluations(response.evaluations)
        except InvalidAnswerError as error:
            raise CallFailedError(
                Failure.INVALID_ANSWER,
                f"gave an answer whose {error.field} {error.problem}.",
                endpoint=self._endpoint.address,
                field=error.field,
                description=error.problem,
            ) from None
