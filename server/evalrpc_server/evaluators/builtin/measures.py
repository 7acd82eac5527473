"""Builtins that measure an output or the call that gave it, without judging it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from evalrpc_server.evaluators.builtin.params import NoParams, OfOutput, Params
from evalrpc_server.evaluators.builtin.registry import Gives, item_builtin
from evalrpc_server.evaluators.builtin.subject import Subject, text_of
from evalrpc_server.evaluators.builtin.verdicts import Unscored, Verdict
from evalrpc_server.evaluators.builtin.words import words_of


@item_builtin(OfOutput, gives=Gives.NUMBER)
def length(params: OfOutput, subject: Subject) -> Verdict:
    """The length of the output in characters (Unicode code points); of its compact JSON where it is not text."""
    return float(len(text_of(subject.output(params.output_path))))


@item_builtin(OfOutput, gives=Gives.NUMBER)
def word_count(params: OfOutput, subject: Subject) -> Verdict:
    """The number of words in the output.

    Words are runs of letters and digits in any script; in Chinese, Japanese, Thai and other scripts without spaces each
    character counts as a word. An output that is not text is counted as compact JSON.
    """
    return float(len(words_of(text_of(subject.output(params.output_path)))))


@item_builtin(NoParams, gives=Gives.NUMBER)
def latency(_params: NoParams, subject: Subject, /) -> Verdict:
    """Seconds that the successful task attempt took, without queueing and retries."""
    return subject.case.duration


@item_builtin(NoParams, gives=Gives.NUMBER)
def cost(_params: NoParams, subject: Subject, /) -> Verdict:
    """US dollars that the task says its answer cost; unscored where it does not say."""
    usage = subject.case.usage
    if usage is None or usage.cost_usd is None:
        raise Unscored("the task did not say what its answer cost (usage.cost_usd)")
    return usage.cost_usd


class TokensParams(Params):
    """Parameters of `tokens`."""

    count: Literal["total", "input", "output"] = Field(
        default="total", description="Which tokens are counted."
    )


@item_builtin(TokensParams, gives=Gives.NUMBER)
def tokens(params: TokensParams, subject: Subject) -> Verdict:
    """Tokens that the task says it used; unscored where it does not say."""
    usage = subject.case.usage
    given = {
        "input": usage.input_tokens if usage else None,
        "output": usage.output_tokens if usage else None,
    }
    wanted = given if params.count == "total" else {params.count: given[params.count]}
    counts = [count for count in wanted.values() if count is not None]
    if len(counts) < len(wanted):
        missing = " and ".join(f"usage.{name}_tokens" for name, count in wanted.items() if count is None)
        raise Unscored(f"the task did not say how many tokens it used ({missing})")
    return float(sum(counts))
