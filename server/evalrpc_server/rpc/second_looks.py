"""What the servicer of experiments does about experiments that look at earlier ones again."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterable

from google.protobuf.message import Message

from evalrpc.v1 import evaluator_pb2, second_look_pb2
from evalrpc_server.domain.errors import InvalidRequestError, Violation
from evalrpc_server.domain.experiments import Experiment
from evalrpc_server.domain.second_look import RetryScope
from evalrpc_server.domain.spec.evaluators import EvaluatorSpec
from evalrpc_server.protobuf.spec import evaluator_from_message
from evalrpc_server.rpc.keys import MAX_REQUEST_ID, checked_key, required_id
from evalrpc_server.runner.manager import Manager
from evalrpc_server.runner.second_looks import SecondLooks

_MAX_RUN_NAME = 255

_SCOPES = {
    second_look_pb2.RETRY_SCOPE_UNSPECIFIED: RetryScope.ALL,
    second_look_pb2.RETRY_SCOPE_ALL: RetryScope.ALL,
    second_look_pb2.RETRY_SCOPE_TASKS: RetryScope.TASKS,
    second_look_pb2.RETRY_SCOPE_EVALUATIONS: RetryScope.EVALUATIONS,
}


async def evaluate_experiment(
    request: second_look_pb2.EvaluateExperimentRequest, looks: SecondLooks, manager: Manager
) -> Experiment:
    """Starts an experiment that evaluates an earlier one's outputs anew.

    Raises:
        RequestError: the request is wrong, or the experiment cannot be looked at again.
    """
    violations = _violations(request.run_name, request.request_id)
    evaluators, composites, run_evaluators = (
        _read(messages, path, violations)
        for messages, path in (
            (request.evaluators, "evaluators"),
            ([request.composite_evaluator] if request.HasField("composite_evaluator") else (), None),
            (request.run_evaluators, "run_evaluators"),
        )
    )
    if violations:
        raise InvalidRequestError(violations)

    def accept() -> Awaitable[Experiment]:
        return looks.evaluate(
            required_id(request.id),
            evaluators=evaluators,
            composite=next(iter(composites), None),
            run_evaluators=run_evaluators,
            run_name=request.run_name,
            request_id=request.request_id,
        )

    return await _start(request, request.request_id, accept, manager)


async def retry_experiment(
    request: second_look_pb2.RetryExperimentRequest, looks: SecondLooks, manager: Manager
) -> Experiment:
    """Starts an experiment that repeats what failed in an earlier one.

    Raises:
        RequestError: the request is wrong, or there is nothing to repeat.
    """
    violations = _violations(request.run_name, request.request_id)
    if request.scope not in _SCOPES:
        names = "RETRY_SCOPE_ALL, RETRY_SCOPE_TASKS or RETRY_SCOPE_EVALUATIONS"
        violations.append(Violation("scope", f"must be {names}"))
    if violations:
        raise InvalidRequestError(violations)

    def accept() -> Awaitable[Experiment]:
        return looks.retry(
            required_id(request.id),
            scope=_SCOPES[request.scope],
            run_name=request.run_name,
            request_id=request.request_id,
        )

    return await _start(request, request.request_id, accept, manager)


async def _start(
    request: Message, request_id: str, accept: Callable[[], Awaitable[Experiment]], manager: Manager
) -> Experiment:
    fingerprint = ""
    if checked_key(request_id, "request_id"):
        content = request.DESCRIPTOR.full_name.encode() + request.SerializeToString(deterministic=True)
        fingerprint = hashlib.sha256(content).hexdigest()
        if joined := await manager.join(request_id, fingerprint):
            return joined
    try:
        experiment = await accept()
    except InvalidRequestError as error:
        # The evaluators stand at the top of these requests.
        raise InvalidRequestError(
            [Violation(each.path.removeprefix("."), each.description) for each in error.violations]
        ) from None
    return await manager.start(experiment, request_id=request_id, fingerprint=fingerprint)


def _read(
    messages: Iterable[evaluator_pb2.EvaluatorSpec], path: str | None, violations: list[Violation]
) -> list[EvaluatorSpec]:
    found = []
    for number, message in enumerate(messages):
        place = "composite_evaluator" if path is None else f"{path}[{number}]"
        spec, problems = evaluator_from_message(message, path=place)
        violations.extend(problems)
        if spec is not None:
            found.append(spec)
    return found


def _violations(run_name: str, request_id: str) -> list[Violation]:
    found = []
    if len(run_name) > _MAX_RUN_NAME:
        found.append(Violation("run_name", f"must be at most {_MAX_RUN_NAME} characters"))
    if len(request_id) > MAX_REQUEST_ID:
        found.append(Violation("request_id", f"must be at most {MAX_REQUEST_ID} characters"))
    return found
