"""Runs one expression on one case. It is imported by the processes that expressions run in, so it needs little."""

from __future__ import annotations

from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.evaluators.chunks import Memo
from evalrpc_server.evaluators.expression.language import ExpressionError, evaluate
from evalrpc_server.evaluators.expression.limits import CPU_SECONDS, MEMORY_BYTES, bounded_time
from evalrpc_server.evaluators.expression.variables import UnreadableError, variables
from evalrpc_server.evaluators.port import Case

MAX_LABEL = 1_000
"""The longest text that an expression may give, in characters."""


def judge_by(memo: Memo, expression: str, name: str, case: Case) -> Evaluation:
    """Returns what an expression says of a case; its failures too are evaluations.

    An expression that fails where something it names is absent leaves the case unscored.
    """
    del memo  # each case stands for itself
    absent: list[str] = []
    try:
        with bounded_time():
            values, absent = variables(expression, case)
            value = evaluate(expression, values)
    except (ExpressionError, UnreadableError) as problem:
        if absent:
            return Evaluation(name=name, unscored="; ".join(absent))
        return Evaluation(name=name, error=_failure(f"The expression has no value for this: {problem}."))
    except MemoryError:
        return Evaluation(name=name, error=exceeded())
    if value is None:
        return Evaluation(name=name, unscored="the expression gave null")
    if isinstance(value, str) and len(value) > MAX_LABEL:
        size = f"The expression gave a text of {len(value)} characters; a label has at most {MAX_LABEL}."
        return Evaluation(name=name, error=_failure(size))
    return Evaluation(name=name, value=value)


def exceeded() -> Error:
    """Says that an expression went beyond its bounds."""
    return _failure(
        f"The expression was stopped: it took more than {CPU_SECONDS:g} s of processor time or "
        f"{MEMORY_BYTES // 1024**3} GiB of memory. Make it look at less, or use a builtin or an endpoint of your own."
    )


def _failure(message: str) -> Error:
    return Error(reason=Reason.EVALUATOR_FAILED, message=message)
