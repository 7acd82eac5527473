"""How several models are asked: all of them, or one after another until one is sure."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from evalrpc_server.domain.evaluations import Value
from evalrpc_server.domain.spec.judges import JudgeEvaluator, JudgeStrategy
from evalrpc_server.evaluators.judge.accounts import Account
from evalrpc_server.evaluators.judge.asking import sample
from evalrpc_server.evaluators.judge.models import ChatModel
from evalrpc_server.evaluators.judge.questions import Inquiry
from evalrpc_server.evaluators.judge.reducers import agreement
from evalrpc_server.evaluators.judge.verdicts import Sample


async def ask_models(
    spec: JudgeEvaluator, models: Sequence[ChatModel], inquiry: Inquiry, account: Account
) -> tuple[Sequence[Sample], Sequence[Sample]]:
    """Asks models by the judge's strategy.

    Returns:
        All samples, and those of them that count: of a cascade the last model's.
    """
    if spec.strategy is JudgeStrategy.PANEL:
        samples = await _ask(models, spec.samples, inquiry, account)
        return samples, samples
    samples, last = [], []
    for model in models:
        last = await _ask([model], spec.samples, inquiry, account)
        samples += last
        if _sure(spec, last):
            break
    return samples, last


async def _ask(models: Sequence[ChatModel], times: int, inquiry: Inquiry, account: Account) -> list[Sample]:
    return await asyncio.gather(*(sample(model, inquiry, account) for model in models for _ in range(times)))


def _sure(spec: JudgeEvaluator, samples: Sequence[Sample]) -> bool:
    """Tells whether enough of all samples agree; one that failed agrees with none."""
    values: list[Value] = [each.value for each in samples if each.value is not None]
    if not values:
        return any(each.verdict and each.verdict.unscored for each in samples)
    wanted = 1.0 if spec.agreement is None else spec.agreement
    share = agreement(values, spec.span if spec.numeric else 0.0) * len(values) / len(samples)
    return share >= wanted - 1e-9
