"""Builtins that ask models: embeddings, and the scorers of autoevals."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.spec.evaluators import BuiltinEvaluator
from evalrpc_server.domain.usage import Usage
from evalrpc_server.evaluators.builtin.evaluator import open_calling
from evalrpc_server.evaluators.builtin.registry import Level
from evalrpc_server.evaluators.builtin.validation import validate_builtin
from evalrpc_server.evaluators.port import Case, EvaluatorError
from evalrpc_server.outbound.outbound import Outbound
from evalrpc_server.outbound.secrets import Secrets
from tests.evaluators.cases import case
from tests.standins.openai.judge import JudgeStandIn

Judge = Callable[..., Any]


@pytest.fixture
async def standin() -> AsyncIterator[JudgeStandIn]:
    async with JudgeStandIn() as running:
        yield running


@pytest.fixture
async def judge(standin: JudgeStandIn) -> AsyncIterator[Judge]:
    """Has a builtin judge cases at the same time, with the stand-in as its model."""
    outbound = Outbound(secrets=Secrets(environment={"EVALRPC_SECRET_KEY": standin.key}))

    async def run(name: str, cases: Sequence[Case], **params: Any) -> list[Evaluation]:
        given = {"base_url": standin.base_url, "api_key": "${secret:KEY}", **params}
        assert validate_builtin(name, given, Level.ITEM) == []
        evaluator = open_calling(BuiltinEvaluator(name=name, params=given), name, outbound)
        assert evaluator is not None
        found = await asyncio.gather(*(evaluator.evaluate(each) for each in cases))
        await evaluator.aclose()
        return [said for [said] in found]

    yield run
    await outbound.aclose()


async def test_texts_of_many_items_are_embedded_in_one_call(standin, judge):
    cases = [case("aaeo", "ae"), case("a", "e"), case("ae", "ae"), case("aaeo", "a")]
    found = await judge("cosine_similarity", cases, model="m")
    assert [said.value for said in found] == pytest.approx([3 / (12**0.5), 0.0, 1.0, 2 / 6**0.5])
    assert found[0].usage == Usage(input_tokens=8, output_tokens=0, model="m")
    [received] = standin.requests
    assert sorted(received.body["input"]) == ["a", "aaeo", "ae", "e"]


async def test_more_texts_than_a_call_takes_travel_in_several(standin, judge):
    cases = [case(f"a{'e' * n}", "a") for n in range(1, 100)]
    found = await judge("cosine_similarity", cases, model="m")
    assert [said.value for said in found] == pytest.approx([1 / (1 + n * n) ** 0.5 for n in range(1, 100)])
    assert len(standin.requests) == 2


async def test_without_a_text_nothing_is_embedded(standin, judge):
    found = await judge("cosine_similarity", [case(""), case("", "a"), case("a", "")], model="m")
    assert [(said.value, said.unscored) for said in found] == [
        (None, "the item has no expected_output"),
        (0.0, None),
        (None, "expected_output is empty"),
    ]
    assert not standin.requests


async def test_an_embedding_that_cannot_be_had_is_an_error(judge):
    with pytest.raises(EvaluatorError) as failed:
        await judge("cosine_similarity", [case("a", "e")], model="m", api_key="")
    assert failed.value.error.metadata["status"] == "401"
    with pytest.raises(EvaluatorError, match="zero"):
        await judge("cosine_similarity", [case("a", "x")], model="m")


def test_a_key_is_taken_by_reference_alone():
    [wrong] = validate_builtin("cosine_similarity", {"model": "m", "api_key": "sk-1"}, Level.ITEM)
    assert wrong.path == "builtin.params.api_key"
    assert "${secret:NAME}" in wrong.description


async def test_a_scorer_of_autoevals_that_computes(judge):
    [close, no_expected] = await judge("autoevals", [case(10, 11), case("x")], scorer="NumericDiff")
    assert close.value == pytest.approx(1 - 1 / 21)
    assert no_expected.unscored == "the item has no expected_output"
    [valid] = await judge("autoevals", [case('{"a": 1}', "no schema")], scorer="ValidJSON")
    assert valid.value == 1.0


async def test_a_scorer_of_autoevals_that_asks_a_model_asks_it_through_the_server(standin, judge):
    def choose(body: dict[str, Any]) -> Any:
        tool = body["tools"][0]["function"]["name"]
        call = {"name": tool, "arguments": json.dumps({"choice": "C", "reasons": "the same"})}
        return {"message": {"tool_calls": [{"id": "c", "type": "function", "function": call}]}}

    standin.says = choose
    [said] = await judge(
        "autoevals", [case("Paris", "Paris")], scorer="Factuality", options={"model": "judge-1"}
    )
    assert (said.value, said.comment) == (1.0, "the same")
    assert standin.requests[0].headers["authorization"] == f"Bearer {standin.key}"


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"scorer": "Scorer"}, "has no scorer 'Scorer'"),
        ({"scorer": "init"}, "has no scorer 'init'"),
        ({"scorer": "Factuality", "options": {"api_key": "sk-1"}}, "must not hold api_key"),
        ({"scorer": "Levenshtein", "options": {"x": 1}}, "Levenshtein cannot be made"),
        ({"scorer": "NumericDiff"}, "TypeError"),
    ],
)
async def test_a_scorer_that_fails_is_an_error_that_says_why(judge, params, problem):
    with pytest.raises(EvaluatorError) as failed:
        await judge("autoevals", [case("x", "y")], **params)
    assert problem in str(failed.value)


async def test_a_scorer_that_compares_by_itself_is_not_given_documents_that_would_take_forever(judge):
    with pytest.raises(EvaluatorError, match="too large to compare"):
        await judge("autoevals", [case("x" * 20_000, "y" * 20_000)], scorer="Levenshtein")
