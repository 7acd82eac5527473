"""Checks that an evaluator can be used, beyond the shape of its spec: one check per kind that needs one."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from evalrpc_server.domain.errors import Violation
from evalrpc_server.domain.spec.evaluators import EvaluatorSpec
from evalrpc_server.domain.spec.judges import JudgeEvaluator
from evalrpc_server.domain.templates import TemplateSyntaxError, TextTemplate
from evalrpc_server.evaluators.builtin.registry import Level
from evalrpc_server.evaluators.builtin.validation import validate_builtin
from evalrpc_server.evaluators.expression.language import check_expression
from evalrpc_server.evaluators.judge.questions import PAIR_ROOTS, ROOTS
from evalrpc_server.evaluators.registry import RUN_EVALUATORS

__all__ = ["Level", "find_violations", "judge_violations"]


def find_violations(spec: EvaluatorSpec, level: Level) -> list[Violation]:
    """Returns all that is wrong with the use of an evaluator that is not registered; nothing if it can be used.

    The paths begin at the evaluator: `builtin.name`, `expression.expression`.
    """
    if level is Level.RUN and spec.kind not in RUN_EVALUATORS:
        kinds = ", ".join(RUN_EVALUATORS)
        return [
            Violation(spec.kind, f"judges single items: use it under evaluators; for a run there are {kinds}")
        ]
    check = _CHECKS.get(spec.kind)
    return check(spec, level) if check else []


def _builtin(spec: EvaluatorSpec, level: Level) -> list[Violation]:
    assert spec.builtin is not None
    return validate_builtin(spec.builtin.name, spec.builtin.params, level)


def _expression(spec: EvaluatorSpec, _: Level) -> list[Violation]:
    assert spec.expression is not None
    problem = check_expression(spec.expression.expression)
    return [Violation("expression.expression", problem)] if problem else []


def judge_violations(judge: JudgeEvaluator) -> list[Violation]:
    """Returns all that is wrong with a judge's template; the paths begin at the judge."""
    roots = PAIR_ROOTS if judge.pairwise else ROOTS
    try:
        placeholders = TextTemplate(judge.prompt).placeholders
    except TemplateSyntaxError as error:
        return [Violation("prompt", error.problem)]
    return [
        Violation("prompt", f"holds {each.source}, but a path begins with one of {', '.join(roots)}")
        for each in placeholders
        if each.root not in roots
    ]


def _judge(spec: EvaluatorSpec, _: Level) -> list[Violation]:
    assert spec.judge is not None
    return [Violation(f"judge.{each.path}", each.description) for each in judge_violations(spec.judge)]


_CHECKS: Mapping[str, Callable[[EvaluatorSpec, Level], list[Violation]]] = {
    "builtin": _builtin,
    "expression": _expression,
    "judge": _judge,
}
