"""Calls of `EvaluatorService`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, Literal

from evalrpc import _requests as requests
from evalrpc._convert.calibration import calibration_from_message
from evalrpc._convert.evaluators import builtin_from_message, registered_from_message
from evalrpc._model.calibration import Calibration
from evalrpc._model.evaluators import BuiltinEvaluator, RegisteredEvaluator
from evalrpc._spec.evaluators import EvaluatorLike
from evalrpc._spec.judges import CALIBRATION_SECONDS, LabelledOutput, calibration_request
from evalrpc._sync.channel import ChannelOwner
from evalrpc.v1 import evaluator_pb2, evaluator_service_pb2, evaluator_service_pb2_grpc, judge_pb2


class EvaluatorCalls(ChannelOwner):
    """Registers and lists evaluators."""

    @cached_property
    def _evaluators(self) -> evaluator_service_pb2_grpc.EvaluatorServiceStub:
        return evaluator_service_pb2_grpc.EvaluatorServiceStub(self._channel)

    def register_evaluator(
        self, evaluator: EvaluatorLike, *, name: str | None = None, description: str | None = None
    ) -> RegisteredEvaluator:
        """Registers an evaluator under its name. Content that the latest version has already is that version.

        Args:
            evaluator: what `builtin()` and its like return.
            name: to register it under, where `evaluator` has no name.
            description: what it is for.

        Raises:
            InvalidRequestError: the evaluator is wrong.
        """
        request = requests.register_request(evaluator, name, description)
        return registered_from_message(self._call(self._evaluators.RegisterEvaluator, request).evaluator)

    def get_evaluator(self, name: str) -> RegisteredEvaluator:
        """Returns a registered evaluator: "accuracy" is its latest version, "accuracy@3" that one.

        Raises:
            NotFoundError: there is no such evaluator.
        """
        request = evaluator_service_pb2.GetEvaluatorRequest(name=name)
        return registered_from_message(self._call(self._evaluators.GetEvaluator, request).evaluator)

    def list_evaluators(
        self, *, name: str | None = None, page_size: int | None = None
    ) -> Iterator[RegisteredEvaluator]:
        """Yields the latest versions of all registered evaluators, or all versions of one.

        Args:
            name: the evaluator whose versions to list, the latest first.
            page_size: how many to ask for at once.
        """
        request = evaluator_service_pb2.ListEvaluatorsRequest(name=name or "", page_size=page_size or 0)
        for page in self._pages(self._evaluators.ListEvaluators, request):
            for evaluator in page.evaluators:
                yield registered_from_message(evaluator)

    def delete_evaluator(self, name: str) -> None:
        """Deletes a version of an evaluator ("accuracy@3"), or all of them ("accuracy").

        Raises:
            NotFoundError: there is no such evaluator.
        """
        self._call(self._evaluators.DeleteEvaluator, evaluator_service_pb2.DeleteEvaluatorRequest(name=name))

    def list_builtin_evaluators(
        self, *, level: Literal["item", "run"] | None = None
    ) -> tuple[BuiltinEvaluator, ...]:
        """Returns the server's own evaluators, each with the JSON Schema of its parameters.

        Args:
            level: only those that look at an item's result, or only those that look at a run.
        """
        response = self._call(self._evaluators.ListBuiltinEvaluators, requests.builtins_request(level))
        return tuple(builtin_from_message(each) for each in response.evaluators)

    def calibrate_judge(
        self,
        judge: evaluator_pb2.EvaluatorSpec | judge_pb2.JudgeEvaluator | Mapping[str, Any],
        outputs: Iterable[LabelledOutput],
        *,
        positive_from: float | None = None,
    ) -> Calibration:
        """Measures how far a judge agrees with people, in an hour at most.

        Args:
            judge: what `judge()` returns.
            outputs: outputs with people's verdicts, from 2 to 1,000.
            positive_from: from which number on a verdict counts as positive; 0.5 by default.

        Raises:
            InvalidRequestError: the judge or an output is wrong.
        """
        request = calibration_request(judge, outputs, positive_from)
        return calibration_from_message(
            self._call(self._evaluators.CalibrateJudge, request, CALIBRATION_SECONDS)
        )
