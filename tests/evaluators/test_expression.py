"""Expressions: what they see, what becomes of their values, and that hostile ones cost bounded time and memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.results import Context
from evalrpc_server.domain.spec.evaluators import ExpressionEvaluator as ExpressionSpec
from evalrpc_server.domain.usage import Usage
from evalrpc_server.evaluators.executor import ExecutorBatcher, WorkerDiedError
from evalrpc_server.evaluators.expression.evaluator import ExpressionEvaluator
from evalrpc_server.evaluators.expression.judging import judge_by
from evalrpc_server.evaluators.expression.language import check_expression
from evalrpc_server.evaluators.pools import open_sandbox
from evalrpc_server.evaluators.port import Case, EvaluatorError
from tests.evaluators.cases import ABSENT, Raw, case, scored

MEBIBYTE = 1024 * 1024 - 10


def say(expression: str, judged: Case) -> Evaluation:
    assert check_expression(expression) == ""
    return judge_by({}, expression, "e", judged)


def value(expression: str, output: Any, expected: Any = ABSENT, **fields: Any) -> Any:
    return say(expression, case(output, expected, **fields)).value


@pytest.mark.parametrize(
    ("expression", "output", "expected", "given"),
    [
        ("output.contains(expected_output) && latency < 2.0", "It is Paris", "Paris", True),
        ("output == expected_output", {"a": [1, 2.0]}, {"a": [1.0, 2]}, True),
        ("output.answer.size()", {"answer": "Москва"}, None, 6.0),
        ("output.score * 100.0", {"score": 1}, None, 100.0),
        ("has(output.answer) && output.answer != ''", {"other": 1}, None, False),
        ("output.matches('^[0-9]+$') ? 'number' : 'words'", "42", None, "number"),
        ("double(output.filter(x, x in expected_output).size()) / double(output.size())", [1, 2], [2], 0.5),
        ("output.map(x, x * 2.0) == expected_output", [1, 2], [2, 4], True),
    ],
)
def test_an_expression_gives_a_number_a_boolean_or_a_string(expression, output, expected, given):
    found = value(expression, output, expected)
    assert found == given
    assert type(found) is type(given)


def test_an_expression_sees_all_of_a_case():
    judged = case(
        "x",
        metadata={"limit": 3},
        contexts=[Context(text="a passage", id="c1", score=0.5)],
        usage=Usage(input_tokens=10, output_tokens=5, cost_usd=0.25, model="m"),
        duration=1.5,
        evaluations=[scored(0.75), scored(True, "right")],
    )
    for expression in (
        "input == 'a question'",
        "metadata.limit == 3",
        "contexts[0].text == 'a passage' && contexts[0].id == 'c1' && contexts[0].score == 0.5",
        "usage.input_tokens + usage.output_tokens == 15 && usage.cost_usd < 1.0 && usage.model == 'm'",
        "latency == 1.5",
        "evaluations.accuracy > 0.5 && evaluations['right']",
        "expected_output == null",
    ):
        assert say(expression, judged).value is True, expression


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("output.contains(expected_output)", "the item has no expected_output"),
        ("metadata.limit > 3", "the item has no metadata"),
        ("contexts[0].text == output", "the task gave no contexts"),
        ("usage.cost_usd < 1.0", "the task did not say usage.cost_usd"),
        ("dyn(null)", "the expression gave null"),
    ],
)
def test_where_there_is_nothing_to_judge_by_the_case_is_unscored(expression, why):
    said = say(expression, case("x"))
    assert (said.value, said.error, said.unscored) == (None, None, why)


@pytest.mark.parametrize(
    ("expression", "output", "problem"),
    [
        ("output.answer == 1.0", {"other": 1}, 'Key not found in map : "answer"'),
        ("output + 1 > 2", 3, "numbers in documents are doubles: write 1.0 for 1, or int(x)"),
        ("output", {"a": 1}, "it gave a MAP"),
        ("output", "x" * 1001, "a label has at most 1000"),
        ("output.size() > 1", Raw("[" * 5_000 + "]" * 5_000), "output is nested too deep"),
        (
            "output.all(a, output.all(b, output.all(c, output.all(d, a < b + 5000.0))))",
            list(range(1000)),
            "10,000 steps",
        ),
    ],
)
def test_an_expression_without_a_value_is_an_error_that_says_why(expression, output, problem):
    said = say(expression, case(output))
    assert said.error is not None
    assert said.error.reason is Reason.EVALUATOR_FAILED
    assert problem in said.error.message


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("output ==", "at character 10, Syntax error"),
        ("answer == 1", "at character 1, undeclared reference to 'answer'; the variables are input, output"),
        ("output.lower() == 'x'", "undeclared reference to 'lower'"),
        ("latency * 1000 < 1.0", "write 1.0 for 1"),
        ("[output]", "gives a value of the type LIST"),
        ("(" * 5_000 + "1" + ")" * 5_000, "nested too deep"),
        ("+".join(["1"] * 4_000), "nested too deep"),
        ("[" * 30 + "output" + "].map(x, x + x)" * 30, "nested too deep"),
    ],
)
def test_what_cannot_be_evaluated_is_found_before_a_run(expression, problem):
    assert problem in check_expression(expression)


@pytest.fixture
async def sandbox() -> AsyncIterator[ExecutorBatcher]:
    batcher = open_sandbox()
    yield batcher
    await batcher.aclose()


def evaluator(expression: str, sandbox: ExecutorBatcher) -> ExpressionEvaluator:
    assert check_expression(expression) == ""
    return ExpressionEvaluator(ExpressionSpec(expression=expression), "e", sandbox)


LARGE = case({"words": list(range(9_000)), "text": "x" * (900 * 1024)})
SLOW = "output.words.all(x, output.text.matches('(x+x+)+y') || true)"
GREEDY = "[output.text]" + ".map(a, a + a)" * 12 + "[0].matches('y')"


STOPPED = "more than 1 s of processor time or 1 GiB of memory"


async def test_an_expression_that_takes_too_long_is_stopped_and_spoils_no_other(sandbox):
    with pytest.raises(EvaluatorError, match=STOPPED):
        await evaluator(SLOW, sandbox).evaluate(LARGE)
    [said] = await evaluator("output.text.size()", sandbox).evaluate(LARGE)
    assert said.value == 900 * 1024


class Deadly:
    """A sandbox in which the first two cases end their process, and the others are never done."""

    def __init__(self) -> None:
        self.asked = 0

    async def run(self, *_: object, size: int) -> Evaluation:
        self.asked += 1
        if self.asked > 2:
            await asyncio.Event().wait()
        raise WorkerDiedError(Error(reason=Reason.EVALUATOR_FAILED, message="it died"))


async def test_an_evaluator_whose_processes_die_again_and_again_is_not_asked_any_more():
    deadly = Deadly()
    hostile = evaluator(SLOW, cast(ExecutorBatcher, deadly))
    answers = await asyncio.gather(*(hostile.evaluate(LARGE) for _ in range(5)), return_exceptions=True)
    answers += await asyncio.gather(hostile.evaluate(LARGE), return_exceptions=True)
    assert all(isinstance(answer, EvaluatorError) and STOPPED in str(answer) for answer in answers)
    assert deadly.asked <= 5


async def test_an_expression_that_takes_too_much_memory_is_stopped(sandbox):
    try:
        [said] = await evaluator(GREEDY, sandbox).evaluate(LARGE)
    except EvaluatorError as died:  # where the library does not survive that it gets no memory
        error = died.error
    else:
        assert said.error is not None
        error = said.error
    assert STOPPED in error.message
