"""The servicer of `evalrpc.v1.EvaluatorService`."""

from __future__ import annotations

from google.protobuf import json_format, struct_pb2

from evalrpc.v1 import calibration_pb2, evaluator_pb2, evaluator_service_pb2, evaluator_service_pb2_grpc
from evalrpc_server.domain.clock import Clock
from evalrpc_server.domain.documents import parse_document
from evalrpc_server.domain.errors import InvalidRequestError, NotFoundError, Violation
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.registered import RegisteredEvaluator
from evalrpc_server.evaluators.catalog import Level, list_builtins
from evalrpc_server.protobuf.calibration import calibration_from_message, calibration_to_message
from evalrpc_server.protobuf.spec import evaluator_from_message, evaluator_to_message
from evalrpc_server.protobuf.values import timestamp
from evalrpc_server.rpc.context import Context
from evalrpc_server.rpc.encoding import MAX_MESSAGE_BYTES
from evalrpc_server.rpc.keys import NO_NUL, checked_key
from evalrpc_server.rpc.paging import page_cursor, page_limit, page_token
from evalrpc_server.runner.acceptance import Acceptance, split_reference
from evalrpc_server.runner.calibration import DEFAULT_POSITIVE_FROM, Calibrator
from evalrpc_server.store.port import EvaluatorStore

_LEVELS = {
    Level.ITEM: evaluator_pb2.EVALUATOR_LEVEL_ITEM,
    Level.RUN: evaluator_pb2.EVALUATOR_LEVEL_RUN,
}
_MAX_DESCRIPTION = 10_000


class EvaluatorServicer(evaluator_service_pb2_grpc.EvaluatorServiceServicer):
    """Keeps evaluators under names, in versions that never change."""

    def __init__(
        self, *, acceptance: Acceptance, calibrator: Calibrator, store: EvaluatorStore, clock: Clock
    ) -> None:
        self._acceptance = acceptance
        self._calibrator = calibrator
        self._store = store
        self._clock = clock

    async def RegisterEvaluator(
        self, request: evaluator_service_pb2.RegisterEvaluatorRequest, context: Context
    ) -> evaluator_service_pb2.RegisterEvaluatorResponse:
        """Registers an evaluator; the same content is the same version."""
        spec, violations = evaluator_from_message(request.evaluator, path="evaluator")
        name = request.evaluator.name
        if not name.strip() or "@" in name or len(name) > 255 or "\x00" in name:
            problem = (
                "must be a name of 1 to 255 characters without @: experiments refer to it as name@version"
            )
            violations.append(Violation("evaluator.name", problem))
        if len(request.description) > _MAX_DESCRIPTION:
            violations.append(Violation("description", f"must be at most {_MAX_DESCRIPTION} characters"))
        if "\x00" in request.description:
            violations.append(Violation("description", NO_NUL))
        if spec is None or violations:
            raise InvalidRequestError(violations)
        await self._acceptance.check_evaluator(spec, path="evaluator")
        evaluator = RegisteredEvaluator(
            name=name,
            version=0,
            spec=self._acceptance.sealed(spec),
            description=request.description,
            create_time=self._clock.now(),
        )
        stored = await self._store.register_evaluator(evaluator)
        return evaluator_service_pb2.RegisterEvaluatorResponse(evaluator=_to_message(stored))

    async def GetEvaluator(
        self, request: evaluator_service_pb2.GetEvaluatorRequest, context: Context
    ) -> evaluator_service_pb2.GetEvaluatorResponse:
        """Returns a version of an evaluator, by default the newest."""
        found = await self._store.get_evaluator(*_reference(request.name))
        if found is None:
            raise _not_found(request.name)
        return evaluator_service_pb2.GetEvaluatorResponse(evaluator=_to_message(found))

    async def ListEvaluators(
        self, request: evaluator_service_pb2.ListEvaluatorsRequest, context: Context
    ) -> evaluator_service_pb2.ListEvaluatorsResponse:
        """Returns a page: the newest version of each name, or all versions of one."""
        limit = page_limit(request.page_size, default=50, maximum=500)
        arguments = ("evaluators", checked_key(request.name, "name"))
        cursor = page_cursor(request.page_token, *arguments)
        page = await self._store.list_evaluators(limit=limit, cursor=cursor, name=request.name)
        return evaluator_service_pb2.ListEvaluatorsResponse(
            evaluators=[_to_message(evaluator) for evaluator in page.evaluators],
            next_page_token=page_token(page.next_cursor, *arguments),
        )

    async def DeleteEvaluator(
        self, request: evaluator_service_pb2.DeleteEvaluatorRequest, context: Context
    ) -> evaluator_service_pb2.DeleteEvaluatorResponse:
        """Deletes a version, or all of a name; experiments that were accepted with it keep it."""
        if not await self._store.delete_evaluator(*_reference(request.name)):
            raise _not_found(request.name)
        return evaluator_service_pb2.DeleteEvaluatorResponse()

    async def ListBuiltinEvaluators(
        self, request: evaluator_service_pb2.ListBuiltinEvaluatorsRequest, context: Context
    ) -> evaluator_service_pb2.ListBuiltinEvaluatorsResponse:
        """Lists the builtins with the JSON Schemas of their parameters."""
        wanted = request.level
        if wanted and wanted not in _LEVELS.values():
            raise InvalidRequestError(
                [
                    Violation(
                        "level", "must be EVALUATOR_LEVEL_ITEM or EVALUATOR_LEVEL_RUN, or left out for both"
                    )
                ]
            )
        return evaluator_service_pb2.ListBuiltinEvaluatorsResponse(
            evaluators=[
                evaluator_pb2.Builtin(
                    name=builtin.name,
                    level=_LEVELS[builtin.level],
                    description=builtin.description,
                    params_schema=json_format.ParseDict(
                        parse_document(builtin.params_schema), struct_pb2.Struct()
                    ),
                )
                for builtin in list_builtins()
                if wanted in {0, _LEVELS[builtin.level]}
            ]
        )

    async def CalibrateJudge(
        self, request: calibration_pb2.CalibrateJudgeRequest, context: Context
    ) -> calibration_pb2.CalibrateJudgeResponse:
        """Measures how far a judge agrees with people."""
        judge, outputs, violations = calibration_from_message(request)
        if judge is None or violations:
            raise InvalidRequestError(violations)
        positive_from = request.positive_from if request.HasField("positive_from") else DEFAULT_POSITIVE_FROM
        found = await self._calibrator.calibrate(judge, outputs, positive_from=positive_from)
        return calibration_to_message(found, room=MAX_MESSAGE_BYTES // 2)


def _to_message(evaluator: RegisteredEvaluator) -> evaluator_pb2.Evaluator:
    return evaluator_pb2.Evaluator(
        name=evaluator.name,
        version=evaluator.version,
        spec=evaluator_to_message(evaluator.spec),
        description=evaluator.description,
        create_time=timestamp(evaluator.create_time),
    )


def _reference(name: str) -> tuple[str, int | None]:
    try:
        bare, version = split_reference(checked_key(name, "name"))
    except ValueError:
        bare, version = "", None
    if not bare or (version is not None and not 0 < version < 2**31):
        raise InvalidRequestError([Violation("name", "must be a name, or name@version as in accuracy@3")])
    return bare, version


def _not_found(reference: str) -> NotFoundError:
    message = f"no evaluator is registered as {reference!r}; ListEvaluators lists them"
    return NotFoundError(Reason.EVALUATOR_NOT_FOUND, message, evaluator=reference)
