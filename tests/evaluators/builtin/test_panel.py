"""Builtins that are asked together."""

from __future__ import annotations

import pytest

from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.spec.evaluators import BuiltinEvaluator
from evalrpc_server.evaluators.builtin import judge
from evalrpc_server.evaluators.builtin.evaluator import BuiltinItemEvaluator
from evalrpc_server.evaluators.builtin.panel import BuiltinPanel
from evalrpc_server.evaluators.builtin.table import BUILTINS
from evalrpc_server.evaluators.pools import open_batcher
from tests.evaluators.cases import case


@pytest.mark.parametrize("executor", ["threads", "processes"])
async def test_each_member_answers_in_its_place(executor) -> None:
    batcher = open_batcher(executor, 1)
    try:
        members = [
            BuiltinItemEvaluator(BuiltinEvaluator(name="exact_match"), "same", batcher),
            BuiltinItemEvaluator(BuiltinEvaluator(name="length"), "size", batcher),
        ]
        found = await BuiltinPanel(members, batcher).evaluate(case("Paris", "Paris"))
    finally:
        await batcher.aclose()
    assert [(one.name, one.value, one.evaluator) for one in found] == [
        ("same", True, "builtin/exact_match@1"),
        ("size", 5.0, "builtin/length@1"),
    ]


async def test_a_fault_in_one_member_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    batcher = open_batcher("threads", 1)
    try:
        members = [
            BuiltinItemEvaluator(BuiltinEvaluator(name="exact_match"), "same", batcher),
            BuiltinItemEvaluator(BuiltinEvaluator(name="length"), "size", batcher),
        ]
        monkeypatch.setattr(judge, "BUILTINS", {"length": BUILTINS["length"]})
        broken, good = await BuiltinPanel(members, batcher).evaluate(case("Paris", "Paris"))
    finally:
        await batcher.aclose()
    assert broken.error
    assert broken.error.reason is Reason.EVALUATOR_FAILED
    assert (broken.name, good.value) == ("same", 5.0)
