"""Calibration: a judge over outputs that people have judged, and how far it agrees with them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from msgspec.structs import replace

from evalrpc_server.domain.calibration import Calibration, LabelledOutput
from evalrpc_server.domain.errors import InvalidRequestError, Violation
from evalrpc_server.domain.evaluations import Value
from evalrpc_server.domain.experiments import ExperimentRef
from evalrpc_server.domain.spec.evaluators import EvaluatorSpec
from evalrpc_server.domain.spec.judges import JudgeEvaluator
from evalrpc_server.domain.spec.sealed import sealed_values
from evalrpc_server.domain.statistics.agreement import agreement
from evalrpc_server.evaluators.acceptance import Level
from evalrpc_server.evaluators.port import Case
from evalrpc_server.evaluators.registry import EvaluatorResources, open_evaluator
from evalrpc_server.runner.acceptance import Acceptance
from evalrpc_server.runner.judging import Judge, Member

MAX_CONCURRENCY = 20
"""How many outputs are judged at once."""

CALL_SECONDS = 120.0
"""How long one call of a model may take."""

DEFAULT_POSITIVE_FROM = 0.5

_NAME = "judge"
_NOWHERE = ExperimentRef(id="", name="calibration", run_name="calibration")


class Calibrator:
    """Measures judges."""

    def __init__(self, acceptance: Acceptance, evaluators: EvaluatorResources) -> None:
        self._acceptance = acceptance
        self._evaluators = evaluators

    async def calibrate(
        self, judge: JudgeEvaluator, outputs: Sequence[LabelledOutput], *, positive_from: float
    ) -> Calibration:
        """Has a judge judge outputs and sets its verdicts beside those of people.

        Args:
            judge: what judges.
            outputs: what is judged.
            positive_from: from which number on a verdict counts as positive, on both sides.

        Raises:
            InvalidRequestError: the judge cannot be used, or a person's verdict is not of its kind.
        """
        spec = EvaluatorSpec(name=_NAME, judge=judge)
        wrong = await self._acceptance.usage_violations(spec, Level.ITEM)
        wrong += [each for number, one in enumerate(outputs) for each in _misfits(judge, one, number)]
        if wrong:
            raise InvalidRequestError(wrong)
        sealed = self._acceptance.sealed(spec)
        scope = self._evaluators.outbound.scoped(sealed_values([sealed]))
        evaluator = open_evaluator(sealed, replace(self._evaluators, outbound=scope))
        judging = Judge(
            members=[Member(_NAME, evaluator.reference)],
            evaluator=evaluator,
            timeout=CALL_SECONDS,
            slots=asyncio.Semaphore(MAX_CONCURRENCY),
        )
        try:
            answers = await asyncio.gather(*(judging.judge(_case(each)) for each in outputs))
        finally:
            await evaluator.aclose()
        evaluations = [evaluation for [(evaluation,)] in answers]
        pairs = [
            (_category(found.value, positive_from), _category(each.verdict, positive_from))
            for found, each in zip(evaluations, outputs, strict=True)
            if found.value is not None
        ]
        return Calibration(agreement=agreement(pairs), evaluations=evaluations)


def _case(labelled: LabelledOutput) -> Case:
    return Case(
        experiment=_NOWHERE,
        item=labelled.item,
        trial=1,
        output=labelled.output,
        contexts=labelled.contexts,
    )


def _category(value: Value, positive_from: float) -> Value:
    return value >= positive_from if isinstance(value, float) else value


def _misfits(judge: JudgeEvaluator, labelled: LabelledOutput, number: int) -> list[Violation]:
    place, verdict = f"labelled_outputs[{number}]", labelled.verdict
    if judge.labels:
        if verdict in judge.labels.labels and isinstance(verdict, str):
            return []
        return [Violation(f"{place}.label", f"must be one of {', '.join(judge.labels.labels)}")]
    if judge.boolean:
        return (
            []
            if isinstance(verdict, bool)
            else [Violation(f"{place}.boolean", "is required: the judge says yes or no")]
        )
    fits = isinstance(verdict, float) and not isinstance(verdict, bool)
    return [] if fits else [Violation(f"{place}.number", "is required: the judge gives numbers")]
