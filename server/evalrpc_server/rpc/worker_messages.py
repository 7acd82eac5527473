"""What workers and the server say to each other, as messages."""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf import json_format, struct_pb2

from evalrpc.v1 import json_pb2, worker_messages_pb2, worker_pb2, worker_service_pb2
from evalrpc_server import __version__
from evalrpc_server.domain.documents import (
    MAX_DOCUMENT_BYTES,
    InvalidDocumentError,
    parse_document,
)
from evalrpc_server.domain.errors import Error, InvalidRequestError, RequestError, Violation
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.evaluators.messages import item_request, read_evaluations, run_header
from evalrpc_server.outbound.json_answers import InvalidAnswerError
from evalrpc_server.protobuf.documents import Encoding, document_from_message
from evalrpc_server.protobuf.values import duration, error_from_message, timestamp
from evalrpc_server.rpc.encoding import MAX_MESSAGE_BYTES, fitting_result
from evalrpc_server.targets.messages import FieldTooLargeError, task_answer, task_request
from evalrpc_server.workers.functions import FunctionKind, HostedFunction
from evalrpc_server.workers.messages import (
    Acknowledgement,
    Assignment,
    Cancellation,
    Chunk,
    DrainNotice,
    Farewell,
    HeartbeatAnswer,
    ToWorker,
)
from evalrpc_server.workers.roster import Introduction, Worker, WorkerState, kind_conflict
from evalrpc_server.workers.work import (
    Answered,
    Evaluated,
    Failed,
    HandedBack,
    ItemWork,
    Outcome,
    RunWork,
    TaskWork,
    WorkTooLargeError,
)

MAX_FUNCTIONS = 1000
"""How many functions a worker may host."""

MAX_REPORT_BYTES = MAX_MESSAGE_BYTES - 64 * 1024
"""The size of a report that surely fits into a message."""

_MAX_NAME = 255
_MAX_DESCRIPTION = 10_000
_MAX_IN_FLIGHT = 10_000
_MAX_CLIENT = 64

_KINDS = {worker_pb2.FunctionKind.Value(f"FUNCTION_KIND_{kind}"): kind for kind in FunctionKind}
_KIND_NUMBERS = {kind: number for number, kind in _KINDS.items()}
_STATES = {state: worker_pb2.WorkerState.Value(f"WORKER_STATE_{state}") for state in WorkerState}


def introduction_from_message(hello: worker_messages_pb2.Hello) -> Introduction:
    """Reads how a worker introduces itself.

    Raises:
        RequestError: it does so wrongly.
    """
    if len(hello.functions) > MAX_FUNCTIONS:
        raise RequestError(
            Reason.TOO_MANY_FUNCTIONS,
            f"a worker may host {MAX_FUNCTIONS} functions, not {len(hello.functions)}; spread them over several workers",
            functions=str(len(hello.functions)),
            limit=str(MAX_FUNCTIONS),
        )
    violations: list[Violation] = []
    if not 0 < len(hello.worker_id) <= _MAX_NAME:
        violations.append(Violation("hello.worker_id", f"is required, and at most {_MAX_NAME} characters"))
    if not 0 < hello.max_in_flight <= _MAX_IN_FLIGHT:
        violations.append(Violation("hello.max_in_flight", f"must be from 1 to {_MAX_IN_FLIGHT}"))
    if not hello.functions:
        violations.append(Violation("hello.functions", "must hold at least one function"))
    functions = [
        _function(function, f"hello.functions[{index}]", violations)
        for index, function in enumerate(hello.functions)
    ]
    if violations:
        raise InvalidRequestError(violations)
    return Introduction(
        worker_id=hello.worker_id,
        functions=tuple(_distinct(functions)),
        max_in_flight=hello.max_in_flight,
        client_name=hello.client_name[:_MAX_CLIENT],
        client_version=hello.client_version[:_MAX_CLIENT],
    )


def _function(message: worker_pb2.HostedFunction, path: str, violations: list[Violation]) -> HostedFunction:
    if not message.name.strip() or len(message.name) > _MAX_NAME:
        violations.append(Violation(f"{path}.name", f"is required, and at most {_MAX_NAME} characters"))
    if len(message.description) > _MAX_DESCRIPTION:
        violations.append(Violation(f"{path}.description", f"must be at most {_MAX_DESCRIPTION} characters"))
    kind = _KINDS.get(message.kind)
    if kind is None:
        violations.append(Violation(f"{path}.kind", "must be a kind of function, such as FUNCTION_KIND_TASK"))
    schema = None
    if message.HasField("input_schema"):
        try:
            value = struct_pb2.Value(struct_value=message.input_schema)
            schema = document_from_message(json_pb2.Json(value=value))
        except InvalidDocumentError as error:
            violations.append(Violation(f"{path}.input_schema", str(error)))
    return HostedFunction(
        name=message.name,
        kind=kind or FunctionKind.TASK,
        description=message.description,
        input_schema=schema,
    )


def _distinct(functions: list[HostedFunction]) -> list[HostedFunction]:
    """Checks that no name stands for two functions."""
    kinds: dict[str, FunctionKind] = {}
    for index, function in enumerate(functions):
        kind = kinds.setdefault(function.name, function.kind)
        if kind is not function.kind:
            raise kind_conflict(function.name, kind, function.kind)
        if len(kinds) <= index:
            problem = f"{function.name!r} is there twice; give each function a name of its own"
            raise InvalidRequestError([Violation(f"hello.functions[{index}].name", problem)])
    return functions


def welcome_message(
    lease: float, heartbeat_interval: float, capabilities: Sequence[str]
) -> worker_service_pb2.ServeResponse:
    """Writes the answer to a Hello."""
    return worker_service_pb2.ServeResponse(
        welcome=worker_messages_pb2.Welcome(
            lease=duration(lease),
            heartbeat_interval=duration(heartbeat_interval),
            max_report_bytes=MAX_REPORT_BYTES,
            server_version=__version__,
            capabilities=capabilities,
        )
    )


def message_to_worker(message: ToWorker) -> worker_service_pb2.ServeResponse:
    """Writes what is sent to a worker.

    Raises:
        WorkTooLargeError: it does not fit into a message.
    """
    match message:
        case Assignment():
            response = worker_service_pb2.ServeResponse(assignment=_assignment(message))
            if (size := response.ByteSize()) > MAX_MESSAGE_BYTES:
                raise WorkTooLargeError(size, MAX_MESSAGE_BYTES)
            return response
        case Acknowledgement(token, ignored):
            ack = worker_messages_pb2.TaskAck(task_token=token, ignored=ignored)
            return worker_service_pb2.ServeResponse(ack=ack)
        case Chunk():
            return worker_service_pb2.ServeResponse(item_results=_chunk(message))
        case HeartbeatAnswer(lost):
            answer = worker_messages_pb2.HeartbeatAck(lost_task_tokens=lost)
            return worker_service_pb2.ServeResponse(heartbeat_ack=answer)
        case Cancellation(token, reason):
            cancel = worker_messages_pb2.CancelTask(task_token=token, reason=reason)
            return worker_service_pb2.ServeResponse(cancel=cancel)
        case DrainNotice(grace):
            return worker_service_pb2.ServeResponse(drain=worker_messages_pb2.Drain(grace=duration(grace)))
        case Farewell(reason):
            return worker_service_pb2.ServeResponse(goodbye=worker_messages_pb2.Goodbye(reason=reason))


def _assignment(message: Assignment) -> worker_messages_pb2.Assignment:
    work = message.work
    assignment = worker_messages_pb2.Assignment(
        task_token=message.token,
        function=work.function.name,
        timeout=duration(work.timeout),
        attempt=work.attempt,
        trace_context=work.trace_context,
    )
    match work.payload:
        case TaskWork(call, include_expected_output):
            assignment.task.CopyFrom(task_request(call, include_expected_output=include_expected_output))
        case ItemWork(case, evaluator):
            assignment.evaluator.CopyFrom(item_request(case, evaluator))
        case RunWork(experiment, evaluator, _):
            assignment.run_evaluator.CopyFrom(run_header(experiment, evaluator))
    return assignment


def _chunk(chunk: Chunk) -> worker_messages_pb2.ItemResultChunk:
    return worker_messages_pb2.ItemResultChunk(
        task_token=chunk.token,
        number=chunk.number,
        item_results=[fitting_result(result, Encoding.TEXT) for result in chunk.results],
        last=chunk.last,
    )


def outcome_from_message(report: worker_messages_pb2.TaskReport, kind: FunctionKind) -> Outcome | HandedBack:
    """Reads what became of a call of a function of some kind; what cannot be read is a failure of the function's."""
    if (size := report.ByteSize()) > MAX_REPORT_BYTES:
        return Failed(_too_large("report", size, MAX_REPORT_BYTES))
    of_task = kind is FunctionKind.TASK
    invalid = Reason.TASK_INVALID_ANSWER if of_task else Reason.EVALUATOR_INVALID_ANSWER
    try:
        match report.WhichOneof("outcome"):
            case "task" if of_task:
                return Answered(task_answer(report.task))
            case "evaluations" if not of_task:
                return Evaluated(read_evaluations(report.evaluations.evaluations))
            case "error":
                default = Reason.TASK_FAILED if of_task else Reason.EVALUATOR_FAILED
                return Failed(error_from_message(report.error, default))
            case "handback":
                return HandedBack(report.handback.reason)
            case _:
                expected = "task" if of_task else "evaluations"
                raise InvalidAnswerError("outcome", f"must be {expected}, error or handback")
    except FieldTooLargeError as error:
        return Failed(_too_large(error.field, error.size_bytes, MAX_DOCUMENT_BYTES))
    except InvalidAnswerError as error:
        return Failed(
            Error(
                reason=invalid,
                message=f"The worker gave an answer whose {error.field} {error.problem}.",
                metadata={"field": error.field, "description": error.problem},
            )
        )


def _too_large(what: str, size: int, limit: int) -> Error:
    return Error(
        reason=Reason.PAYLOAD_TOO_LARGE,
        message=f"The worker answered with a {what} of {size} bytes; the limit is {limit} bytes.",
        metadata={"limit_bytes": str(limit), "size_bytes": str(size)},
    )


def worker_to_message(worker: Worker) -> worker_pb2.Worker:
    """Writes a worker as it is listed."""
    about = worker.introduction
    return worker_pb2.Worker(
        id=worker.id,
        functions=[_function_to_message(function) for function in worker.functions.values()],
        state=_STATES[worker.state],
        max_in_flight=about.max_in_flight,
        in_flight=len(worker.leases),
        completed=worker.completed,
        failed=worker.failed,
        lost=worker.lost,
        client_name=about.client_name,
        client_version=about.client_version,
        connect_time=timestamp(worker.connect_time),
        last_heartbeat_time=timestamp(worker.heartbeat_time),
    )


def _function_to_message(function: HostedFunction) -> worker_pb2.HostedFunction:
    message = worker_pb2.HostedFunction(
        name=function.name, kind=_KIND_NUMBERS[function.kind], description=function.description
    )
    if function.input_schema is not None:
        json_format.ParseDict(parse_document(function.input_schema), message.input_schema)
    return message
