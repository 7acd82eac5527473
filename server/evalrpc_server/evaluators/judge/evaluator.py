"""Judges as evaluators: a case in, one evaluation out, with what it took and how it came about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evalrpc_server.domain.documents import Document, JsonValue, document_from_value
from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.evaluations import Evaluation, Value
from evalrpc_server.domain.spec.judges import JudgeEvaluator as JudgeSpec
from evalrpc_server.domain.spec.judges import JudgeReducer
from evalrpc_server.domain.stopwatch import queueing
from evalrpc_server.evaluators.judge.accounts import Account
from evalrpc_server.evaluators.judge.baselines import Baseline
from evalrpc_server.evaluators.judge.models import ChatModel
from evalrpc_server.evaluators.judge.questions import Inquirer, Inquiry, NothingToJudgeError
from evalrpc_server.evaluators.judge.reducers import NoMajorityError, reduce
from evalrpc_server.evaluators.judge.strategies import ask_models
from evalrpc_server.evaluators.judge.verdicts import Sample
from evalrpc_server.evaluators.port import Case, EvaluatorError
from evalrpc_server.outbound.outbound import Outbound
from evalrpc_server.store.port import ExperimentStore

MAX_COMMENT = 2_000
"""The longest explanation that is kept, in characters."""

_MAX_REASONING = 500


class JudgeEvaluator:
    """Has models judge.

    Args:
        spec: found valid on acceptance.
        name: of its evaluations.
        outbound: the way to the models.
        store: holds the experiment whose outputs are compared with.
    """

    def __init__(self, spec: JudgeSpec, name: str, outbound: Outbound, store: ExperimentStore) -> None:
        self._spec = spec
        self._name = name
        self._inquirer = Inquirer(spec)
        self._models = [ChatModel(model, outbound) for model in spec.models]
        baseline = spec.pairwise.baseline_experiment_id if spec.pairwise else ""
        self._baseline = Baseline(baseline, store) if baseline else None

    @property
    def reference(self) -> str:
        """Who judges: the evaluator's name."""
        return self._name

    async def evaluate(self, case: Case) -> Sequence[Evaluation]:
        """Returns the one evaluation of a case; failures too, with what they took.

        The time limit holds for each call of a model and not for all of them together.
        """
        with queueing():
            return [await self._evaluate(case)]

    async def aclose(self) -> None:
        """Does nothing: the connections belong to all endpoints."""

    async def _evaluate(self, case: Case) -> Evaluation:
        try:
            inquiry = self._inquirer.inquire(case, await self._other(case))
        except NothingToJudgeError as why:
            return Evaluation(name=self._name, unscored=str(why))
        except EvaluatorError as failure:
            return Evaluation(name=self._name, error=failure.error)
        account = Account()
        samples, counting = await ask_models(self._spec, self._models, inquiry, account)
        return self._reduced(samples, counting, inquiry, account)

    async def _other(self, case: Case) -> Document | None:
        """Returns what the output is compared with, for a judge that compares."""
        if self._spec.pairwise is None:
            return None
        if self._baseline is None:
            if case.item.expected_output is None:
                raise NothingToJudgeError("the item has no expected_output")
            return Document(case.item.expected_output.strip())
        found = await self._baseline.output(case.item.id)
        if found is None:
            raise NothingToJudgeError("the baseline experiment has no output for this item")
        return Document(found.strip())

    def _reduced(
        self, samples: Sequence[Sample], counting: Sequence[Sample], inquiry: Inquiry, account: Account
    ) -> Evaluation:
        value, unscored, error = self._outcome(counting)
        return Evaluation(
            name=self._name,
            value=value,
            unscored=unscored,
            error=error,
            comment=_comment(counting, value)[:MAX_COMMENT],
            metadata=document_from_value(_record(inquiry, samples, account)),
            usage=account.usage(),
        )

    def _outcome(self, samples: Sequence[Sample]) -> tuple[Value | None, str | None, Error | None]:
        """Returns the value, why there is none, or the error where not more than half of the samples gave a verdict."""
        verdicts = [each.verdict for each in samples if each.verdict]
        errors = [each.error for each in samples if each.error]
        if errors and len(verdicts) <= len(errors):
            return None, None, errors[0]
        values: list[Value] = [verdict.value for verdict in verdicts if verdict.value is not None]
        if not values:
            return None, verdicts[0].unscored, None
        default = JudgeReducer.MEAN if self._spec.numeric else JudgeReducer.MAJORITY
        try:
            return reduce(values, self._spec.reducer or default), None, None
        except NoMajorityError as split:
            return None, str(split), None


def _comment(samples: Sequence[Sample], value: Value | None) -> str:
    """Returns the reasoning of the verdict that is, or is nearest to, the result."""
    verdicts = [each.verdict for each in samples if each.verdict and each.verdict.reasoning]
    if value is None or not verdicts:
        return ""
    if isinstance(value, float):
        near = min(
            verdicts,
            key=lambda each: abs(float(each.value) - value) if isinstance(each.value, float) else 1e9,
        )
        return near.reasoning
    return next((each.reasoning for each in verdicts if each.value == value), "")


def _record(inquiry: Inquiry, samples: Sequence[Sample], account: Account) -> JsonValue:
    models = [
        {"model": model, "version": version, "calls": calls}
        for (model, version), calls in sorted(account.calls.items())
    ]
    record: dict[str, Any] = {
        "prompt": inquiry.prompt.name,
        "prompt_sha256": inquiry.prompt.sha256,
        "models": models,
    }
    if len(samples) > 1:
        record["verdicts"] = [_sample(each) for each in samples]
    return {"judge": record}


def _sample(sample: Sample) -> dict[str, Any]:
    if sample.verdict is None:
        return {"model": sample.model, "error": sample.error.message if sample.error else ""}
    verdict = sample.verdict
    if verdict.value is None:
        return {"model": sample.model, "unscored": verdict.unscored}
    return {"model": sample.model, "value": verdict.value, "reasoning": verdict.reasoning[:_MAX_REASONING]}
