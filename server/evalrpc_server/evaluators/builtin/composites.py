"""Builtins for `composite_evaluator`: they judge an item by what the other evaluators said of it."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field

from evalrpc_server.domain.evaluations import Evaluation, Value
from evalrpc_server.evaluators.builtin.params import Finite, Params
from evalrpc_server.evaluators.builtin.registry import Gives, item_builtin
from evalrpc_server.evaluators.builtin.subject import Subject
from evalrpc_server.evaluators.builtin.verdicts import Scored, Unscored, Verdict

Names = Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1, max_length=100)]


class WeightedMeanParams(Params):
    """Parameters of `weighted_mean`."""

    weights: Annotated[dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]], Field(min_length=1)] = (
        Field(description='The weight of each evaluation by name, such as {"accuracy": 2, "tone": 1}.')
    )


@item_builtin(WeightedMeanParams, gives=Gives.NUMBER)
def weighted_mean(params: WeightedMeanParams, subject: Subject) -> Verdict:
    """For `composite_evaluator`: the weighted mean of an item's evaluations; booleans count as 1 and 0.

    Where one of them has no value, the item is unscored: an error is never a 0.
    """
    values = {name: _number(name, _value(subject, name)) for name in params.weights}
    total = math.fsum(params.weights.values())
    return math.fsum(values[name] * weight for name, weight in params.weights.items()) / total


class PassParams(Params):
    """Parameters of `all_pass` and `any_pass`."""

    evaluations: Names | None = Field(
        default=None,
        description="The names of the evaluations; default: all of the item's with booleans and numbers.",
    )
    threshold: Finite = Field(default=1.0, description="The least number that passes; true is 1.")


@item_builtin(PassParams, gives=Gives.BOOLEAN)
def all_pass(params: PassParams, subject: Subject) -> Verdict:
    """For `composite_evaluator`: whether all of an item's evaluations pass; the comment names those that do not.

    Where one has no value and all others pass, the item is unscored.
    """
    failing, unknown = _judged(params, subject)
    if failing:
        return Scored(value=False, comment=f"below {params.threshold:g}: {', '.join(failing)}"[:1000])
    if unknown:
        raise Unscored(unknown[0])
    return True


@item_builtin(PassParams, gives=Gives.BOOLEAN)
def any_pass(params: PassParams, subject: Subject) -> Verdict:
    """For `composite_evaluator`: whether at least one of an item's evaluations passes.

    Where one has no value and no other passes, the item is unscored.
    """
    failing, unknown = _judged(params, subject)
    names = _names(params, subject)
    if len(failing) + len(unknown) < len(names):
        return True
    if unknown:
        raise Unscored(unknown[0])
    return False


def _judged(params: PassParams, subject: Subject) -> tuple[list[str], list[str]]:
    """Returns the names of the evaluations that fail, and the reasons of those without a value."""
    failing, unknown = [], []
    for name in _names(params, subject):
        try:
            if _number(name, _value(subject, name)) < params.threshold:
                failing.append(name)
        except Unscored as reason:
            unknown.append(str(reason))
    return failing, unknown


def _names(params: PassParams, subject: Subject) -> list[str]:
    names = params.evaluations
    if names is None:
        said = subject.case.evaluations
        names = list(dict.fromkeys(one.name for one in said if not isinstance(one.value, str)))
    if not names:
        raise Unscored("the item has no other evaluations; use this builtin as composite_evaluator")
    return names


def _value(subject: Subject, name: str) -> Value:
    said = [evaluation for evaluation in subject.case.evaluations if evaluation.name == name]
    if not said:
        raise Unscored(f"the item has no evaluation named {name}")
    evaluation: Evaluation = said[-1]
    if evaluation.error is not None:
        raise Unscored(f"{name} is an error")
    if evaluation.value is None:
        raise Unscored(f"{name} is unscored")
    return evaluation.value


def _number(name: str, value: Value) -> float:
    if isinstance(value, str):
        raise Unscored(f"{name} is a label, not a number")
    return float(value)
