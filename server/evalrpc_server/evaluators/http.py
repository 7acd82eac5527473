"""Evaluators behind HTTP endpoints, of items and of runs."""

from __future__ import annotations

from collections.abc import AsyncIterable, Sequence
from contextlib import aclosing

from evalrpc_server.domain.documents import MAX_DOCUMENT_BYTES
from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.experiments import ExperimentRef
from evalrpc_server.domain.results import ItemResult
from evalrpc_server.domain.spec.evaluators import HttpEvaluator as HttpSpec
from evalrpc_server.evaluators.answers import read_evaluations
from evalrpc_server.evaluators.bodies import case_body, run_body
from evalrpc_server.evaluators.port import Case, EvaluatorError
from evalrpc_server.outbound.client import HttpResponse
from evalrpc_server.outbound.failures import EVALUATOR_REASONS, CallFailedError
from evalrpc_server.outbound.json_answers import InvalidAnswerError, invalid_answer, json_text
from evalrpc_server.outbound.outbound import Outbound
from evalrpc_server.outbound.tracing import baggage, traceparent


class HttpEvaluator:
    """Posts a case, or all results of a run as they are read, and reads evaluations from the answer.

    An answer is at most 1 MiB. A redirect of a run's results cannot be followed: they are read only once.
    """

    def __init__(self, spec: HttpSpec, name: str, outbound: Outbound) -> None:
        self._endpoint = outbound.endpoint(spec.url, headers=spec.headers)
        self._name = name

    @property
    def reference(self) -> str:
        """Who judges: the evaluator's name, as an endpoint tells no version."""
        return self._name

    async def evaluate(self, case: Case) -> Sequence[Evaluation]:
        """Returns the evaluations of a case.

        Raises:
            EvaluatorError: the endpoint gave none.
        """
        headers = [(b"baggage", baggage(case.experiment, case.item.id).encode("ascii"))]
        if case.trace_id:
            headers.append((b"traceparent", traceparent(case.trace_id, case.span_id).encode("ascii")))
        try:
            return self._read(
                await self._endpoint.post(
                    case_body(case), headers=headers, max_response_bytes=MAX_DOCUMENT_BYTES
                )
            )
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
            async with aclosing(run_body(experiment, results)) as body:
                return self._read(await self._endpoint.post(body, max_response_bytes=MAX_DOCUMENT_BYTES))
        except CallFailedError as failure:
            raise EvaluatorError(failure.as_error("run evaluator", EVALUATOR_REASONS)) from None

    async def aclose(self) -> None:
        """Does nothing: the connections belong to all endpoints."""

    def _read(self, response: HttpResponse) -> Sequence[Evaluation]:
        try:
            return read_evaluations(json_text(response, self._endpoint))
        except InvalidAnswerError as error:
            raise invalid_answer(error, self._endpoint) from None
