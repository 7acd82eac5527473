"""Runs one builtin on one case. A plain function over plain data, so that it can run in another process."""

from __future__ import annotations

from typing import Any

from evalrpc_server.domain.documents import InvalidDocumentError, document_from_value
from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.evaluators.builtin.params import Params
from evalrpc_server.evaluators.builtin.registry import Builtin, Gives
from evalrpc_server.evaluators.builtin.subject import Subject
from evalrpc_server.evaluators.builtin.table import BUILTINS
from evalrpc_server.evaluators.builtin.verdicts import CannotJudge, Scored, Unscored, Verdict, WrongOutput
from evalrpc_server.evaluators.port import Case

MAX_COMMENT = 1_000
"""The longest comment that a builtin writes, in characters."""


def judge(memo: dict[Any, Any], name: str, params: Params, evaluation_name: str, case: Case) -> Evaluation:
    """Returns what a builtin says of a case; its failures too are evaluations.

    Args:
        memo: what calls that run together share: here, each case with its parsed documents.
        name: of an item-level builtin.
        params: its parameters.
        evaluation_name: what the evaluation is to be called.
        case: what is judged.
    """
    builtin = BUILTINS[name]
    subject = memo.get(id(case))
    if subject is None:
        subject = memo[id(case)] = Subject(case)
    try:
        assert builtin.judge is not None
        verdict = builtin.judge(params, subject)
        if builtin.gives is Gives.BOOLEAN and getattr(params, "negate", False):
            verdict = _turned(verdict)
        return evaluation(builtin, evaluation_name, verdict)
    except WrongOutput as wrong:
        return _worst(builtin, evaluation_name, wrong)
    except Unscored as reason:
        return unscored(builtin, evaluation_name, reason)
    except (CannotJudge, InvalidDocumentError) as problem:
        return failed(builtin, evaluation_name, str(problem))
    except RecursionError:
        return failed(builtin, evaluation_name, "the documents are nested too deep")


def evaluation(builtin: Builtin, name: str, verdict: Verdict) -> Evaluation:
    """Returns a verdict as an evaluation."""
    if not isinstance(verdict, Scored):
        return Evaluation(name=name, evaluator=builtin.reference, value=verdict)
    return Evaluation(
        name=name,
        evaluator=builtin.reference,
        value=verdict.value,
        comment=verdict.comment[:MAX_COMMENT],
        metadata=None if verdict.metadata is None else document_from_value(verdict.metadata),
    )


def unscored(builtin: Builtin, name: str, reason: Unscored) -> Evaluation:
    """Returns an evaluation without a value."""
    return Evaluation(name=name, evaluator=builtin.reference, unscored=str(reason)[:MAX_COMMENT])


def failed(builtin: Builtin, name: str, message: str) -> Evaluation:
    """Returns an evaluation that says why the builtin could not judge."""
    error = Error(
        reason=Reason.EVALUATOR_FAILED, message=f"{builtin.name} cannot judge this: {message}"[:MAX_COMMENT]
    )
    return Evaluation(name=name, evaluator=builtin.reference, error=error)


def _turned(verdict: Verdict) -> Verdict:
    if isinstance(verdict, Scored):
        return Scored(not verdict.value, verdict.comment, verdict.metadata)
    return not verdict


def _worst(builtin: Builtin, name: str, wrong: WrongOutput) -> Evaluation:
    if builtin.gives is Gives.BOOLEAN:
        return evaluation(builtin, name, Scored(value=False, comment=str(wrong)))
    if builtin.gives is Gives.SCORE:
        return evaluation(builtin, name, Scored(0.0, str(wrong)))
    return unscored(builtin, name, Unscored(str(wrong)))
