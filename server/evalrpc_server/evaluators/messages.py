"""What evaluators of users are asked and answer, as the messages of `evalrpc.v1.EvaluationService`."""

from __future__ import annotations

from collections.abc import Sequence

from evalrpc.v1 import evaluation_pb2, evaluation_service_pb2
from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.experiments import ExperimentRef
from evalrpc_server.evaluators.answers import MAX_EVALUATIONS, MAX_NAME
from evalrpc_server.evaluators.port import Case
from evalrpc_server.outbound.json_answers import InvalidAnswerError
from evalrpc_server.protobuf.documents import Encoding, document_to_message
from evalrpc_server.protobuf.evaluations import (
    InvalidEvaluationError,
    evaluation_from_message,
    evaluation_to_message,
)
from evalrpc_server.protobuf.values import context_to_message, duration, usage_to_message
from evalrpc_server.targets.messages import experiment_info


def item_request(case: Case, evaluator: str) -> evaluation_service_pb2.EvaluateItemRequest:
    """Writes a case for an evaluator. Documents are sent as JSON text, exact to the last digit."""
    item = case.item
    request = evaluation_service_pb2.EvaluateItemRequest(
        evaluator=evaluator,
        input=document_to_message(item.input, Encoding.TEXT),
        output=document_to_message(case.output, Encoding.TEXT),
        contexts=[context_to_message(context) for context in case.contexts],
        item_id=item.id,
        trial=case.trial,
        experiment=experiment_info(case.experiment),
        evaluations=[evaluation_to_message(evaluation, Encoding.TEXT) for evaluation in case.evaluations],
        task_duration=duration(case.duration),
        usage=usage_to_message(case.usage),
    )
    if item.expected_output is not None:
        request.expected_output.CopyFrom(document_to_message(item.expected_output, Encoding.TEXT))
    if item.metadata is not None:
        request.metadata.CopyFrom(document_to_message(item.metadata, Encoding.TEXT))
    return request


def run_header(experiment: ExperimentRef, evaluator: str) -> evaluation_service_pb2.EvaluateRunHeader:
    """Writes what opens the results of a run."""
    return evaluation_service_pb2.EvaluateRunHeader(
        evaluator=evaluator,
        experiment=experiment_info(experiment),
        item_result_count=experiment.result_count,
    )


def read_evaluations(messages: Sequence[evaluation_pb2.Evaluation]) -> tuple[Evaluation, ...]:
    """Reads an evaluator's answer.

    Raises:
        InvalidAnswerError: a field is wrong.
    """
    if len(messages) > MAX_EVALUATIONS:
        raise InvalidAnswerError("evaluations", f"must be at most {MAX_EVALUATIONS}, not {len(messages)}")
    return tuple([_evaluation(message, f"evaluations[{index}]") for index, message in enumerate(messages)])


def _evaluation(message: evaluation_pb2.Evaluation, path: str) -> Evaluation:
    if len(message.name) > MAX_NAME:
        raise InvalidAnswerError(f"{path}.name", f"must be at most {MAX_NAME} characters")
    try:
        return evaluation_from_message(message)
    except InvalidEvaluationError as error:
        raise InvalidAnswerError(f"{path}.{error.field}", error.problem) from None
