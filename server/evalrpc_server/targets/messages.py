"""What tasks of users are asked and answer, as the messages of `evalrpc.v1.TaskService`."""

from __future__ import annotations

import math
from typing import Literal

from evalrpc.v1 import task_service_pb2
from evalrpc_server.domain.documents import Document, DocumentTooLargeError, InvalidDocumentError
from evalrpc_server.domain.experiments import ExperimentRef
from evalrpc_server.domain.results import Context
from evalrpc_server.domain.usage import Usage
from evalrpc_server.outbound.json_answers import InvalidAnswerError
from evalrpc_server.protobuf.documents import Encoding, document_from_message, document_to_message
from evalrpc_server.protobuf.values import context_from_message, usage_from_message
from evalrpc_server.targets.answers import MAX_CONTEXTS
from evalrpc_server.targets.port import TaskAnswer, TaskCall


class FieldTooLargeError(Exception):
    """A document in an answer is above the limit.

    Attributes:
        field: which one.
        size_bytes: the size that was refused.
    """

    def __init__(self, field: str, size_bytes: int) -> None:
        super().__init__(f"{field} is {size_bytes} bytes of JSON")
        self.field = field
        self.size_bytes = size_bytes


def experiment_info(experiment: ExperimentRef) -> task_service_pb2.ExperimentInfo:
    """Writes what users' code is told of an experiment."""
    return task_service_pb2.ExperimentInfo(
        id=experiment.id, name=experiment.name, run_name=experiment.run_name
    )


def task_request(call: TaskCall, *, include_expected_output: bool) -> task_service_pb2.RunTaskRequest:
    """Writes a call of a task. Documents are sent as JSON text, exact to the last digit."""
    item = call.item
    request = task_service_pb2.RunTaskRequest(
        input=document_to_message(item.input, Encoding.TEXT),
        item_id=item.id,
        trial=call.trial,
        experiment=experiment_info(call.experiment),
    )
    if item.metadata is not None:
        request.metadata.CopyFrom(document_to_message(item.metadata, Encoding.TEXT))
    if include_expected_output and item.expected_output is not None:
        request.expected_output.CopyFrom(document_to_message(item.expected_output, Encoding.TEXT))
    return request


def task_answer(response: task_service_pb2.RunTaskResponse) -> TaskAnswer:
    """Reads a task's answer.

    Raises:
        InvalidAnswerError: a field is wrong.
        FieldTooLargeError: a document is above 1 MiB.
    """
    return TaskAnswer(
        output=_document(response, "output") or Document("null"),
        contexts=_contexts(response),
        usage=_usage(response),
        metadata=_document(response, "metadata"),
    )


def _document(
    response: task_service_pb2.RunTaskResponse, field: Literal["output", "metadata"]
) -> Document | None:
    if not response.HasField(field):
        return None
    try:
        document = document_from_message(getattr(response, field))
    except DocumentTooLargeError as error:
        raise FieldTooLargeError(field, error.size_bytes) from None
    except InvalidDocumentError as error:
        raise InvalidAnswerError(field, str(error)) from None
    if field == "metadata" and not document.lstrip().startswith("{"):
        raise InvalidAnswerError(field, "must be an object")
    return document


def _contexts(response: task_service_pb2.RunTaskResponse) -> tuple[Context, ...]:
    if len(response.contexts) > MAX_CONTEXTS:
        raise InvalidAnswerError("contexts", f"must have at most {MAX_CONTEXTS} entries")
    for index, context in enumerate(response.contexts):
        if not math.isfinite(context.score):
            raise InvalidAnswerError(f"contexts[{index}].score", "must be a finite number")
    return tuple([context_from_message(context) for context in response.contexts])


def _usage(response: task_service_pb2.RunTaskResponse) -> Usage | None:
    if not response.HasField("usage"):
        return None
    given = response.usage
    for field in ("input_tokens", "output_tokens", "cost_usd"):
        if not 0 <= getattr(given, field) < math.inf:
            raise InvalidAnswerError(f"usage.{field}", "must be finite and not negative")
    return usage_from_message(given)
