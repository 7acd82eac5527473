"""Builtins that look at numbers."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Literal

from pydantic import Field

from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.evaluators.builtin.params import Comparing, Finite, Negatable
from evalrpc_server.evaluators.builtin.registry import Gives, item_builtin
from evalrpc_server.evaluators.builtin.subject import Subject, kind_of
from evalrpc_server.evaluators.builtin.verdicts import CannotJudge, Unscored, Verdict, WrongOutput

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_MAX_DIGITS = 400
_CLEAR = 1e-9  # so far from the tolerance, relatively, floating point decides; nearer, exact fractions do

Extract = Literal["whole", "first", "last"]


class NumericParams(Comparing):
    """Parameters that the number builtins share."""

    extract: Extract = Field(
        default="whole",
        description=(
            "How a number is read from a text output: the whole text is the number (whole), or the first or last "
            "number in it (first, last), written as in 1234.5 or 1e-3."
        ),
    )


class NumericCloseParams(NumericParams, Negatable):
    """Parameters of `numeric_close`."""

    absolute: Finite = Field(default=0.0, ge=0, description="The largest difference that counts as close.")
    relative: Finite = Field(
        default=1e-9,
        ge=0,
        description="The largest difference that counts as close, as a share of the expected number.",
    )


@item_builtin(NumericCloseParams, gives=Gives.BOOLEAN)
def numeric_close(params: NumericCloseParams, subject: Subject) -> Verdict:
    """Whether the output is a number close to expected_output: |output - expected| <= max(absolute, relative * |expected|).

    Differences are exact in the decimals as written: 1.1 is within 0.1 of 1. Text that is a number counts as one. An
    output without a number is wrong (false); an expected_output without one leaves the item unscored.
    """
    output, expected = _numbers(params, subject)
    return close(output, expected, params.absolute, params.relative)


class NumericDifferenceParams(NumericParams):
    """Parameters of `numeric_difference`."""

    relative: bool = Field(
        default=False,
        description="Give the difference as a share of the expected number; unscored where that is 0.",
    )


@item_builtin(NumericDifferenceParams, gives=Gives.NUMBER)
def numeric_difference(params: NumericDifferenceParams, subject: Subject) -> Verdict:
    """How far the output is from expected_output: |output - expected|, or that over |expected|; 0 is best.

    Its mean over a run is the mean absolute error. Without a number on either side the item is unscored, since there is no
    largest difference to give instead.
    """
    output, expected = _numbers(params, subject)
    difference = abs(_exact(output) - _exact(expected))
    if params.relative and not expected:
        raise Unscored("expected_output is 0, of which nothing can be a share")
    if params.relative:
        difference /= abs(_exact(expected))
    try:
        return float(difference)
    except OverflowError:
        raise CannotJudge("the difference is too large for a floating-point number") from None


def _numbers(params: NumericParams, subject: Subject) -> tuple[float, float]:
    value = subject.expected(params.expected_path)
    expected = number_of(value)
    if expected is None:
        raise Unscored(f"expected_output is {kind_of(value)}, not a number")
    value = subject.output(params.output_path)
    output = number_of(value, params.extract)
    if output is None:
        what = "holds no number" if params.extract != "whole" else "is not a number"
        raise WrongOutput(f"the output is {kind_of(value)} and {what}")
    return output, expected


def number_of(value: JsonValue, extract: Extract = "whole") -> float | None:
    """Returns the number that a value is or that a text holds; None where there is none. Whole numbers are ints."""
    if isinstance(value, int | float):
        return None if isinstance(value, bool) else value
    if not isinstance(value, str):
        return None
    if extract == "whole":
        match = _NUMBER.fullmatch(value.strip()) if len(value) <= _MAX_DIGITS else None
    elif extract == "first":
        match = _NUMBER.search(value)
    else:
        match = None
        for match in _NUMBER.finditer(value):  # noqa: B007 - the last one is what is wanted
            pass
    if match is None or len(match[0]) > _MAX_DIGITS:
        return None
    text = match[0]
    number = int(text) if text.lstrip("+-").isdecimal() else float(text)
    return number if isinstance(number, int) or math.isfinite(number) else None


def close(a: float, b: float, absolute: float, relative: float) -> bool:
    """Tells whether |a - b| <= max(absolute, relative * |b|), exactly for the decimals that the numbers print as."""
    try:
        difference, tolerance = float(abs(a - b)), max(absolute, relative * abs(b))
    except OverflowError:
        difference = tolerance = math.inf
    if math.isfinite(difference) and math.isfinite(tolerance):
        if difference < tolerance * (1 - _CLEAR):
            return True
        if difference > tolerance * (1 + _CLEAR) and difference > _CLEAR * max(abs(a), abs(b)):
            return False
    left, right = _exact(a), _exact(b)
    return abs(left - right) <= max(_exact(absolute), _exact(relative) * abs(right))


def _exact(value: float) -> Fraction:
    return Fraction(value) if isinstance(value, int) else Fraction(repr(value))
