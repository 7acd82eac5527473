"""Builtins that score translations as the literature does, with sacreBLEU."""

from __future__ import annotations

import re
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import Field

from evalrpc_server.evaluators.builtin.params import AS_WHOLE, Comparing, TextOptions
from evalrpc_server.evaluators.builtin.registry import Gives, item_builtin
from evalrpc_server.evaluators.builtin.subject import Subject, kind_of, text_of
from evalrpc_server.evaluators.builtin.unicode import prepare
from evalrpc_server.evaluators.builtin.verdicts import CannotJudge, Unscored, Verdict
from evalrpc_server.evaluators.builtin.words import NO_SPACES

MAX_CHARACTERS = 100_000
"""The longest text that is scored; two of them take about a second."""

MAX_REFERENCES = 20
"""The most expected outputs for one output."""

_WITHOUT_SPACES = re.compile(f"[{NO_SPACES}]")


class TranslationParams(Comparing, TextOptions):
    """Parameters that `bleu` and `chrf` share."""


class BleuParams(TranslationParams):
    """Parameters of `bleu`."""

    tokenize: Literal["auto", "13a", "intl", "zh", "char", "none"] = Field(
        default="auto",
        description=(
            "How texts are cut into tokens, by sacreBLEU's names; auto takes char for scripts without spaces between "
            "words, such as Chinese, and 13a for all others."
        ),
    )
    max_ngram: Annotated[int, Field(ge=1, le=8), AS_WHOLE] = Field(
        default=4, description="The longest run of tokens that is compared."
    )


@item_builtin(BleuParams, gives=Gives.SCORE, extra="text")
def bleu(params: BleuParams, subject: Subject) -> Verdict:
    """BLEU of the output against expected_output (Papineni et al. 2002), from 0 to 1, as sacreBLEU computes it.

    It is the score of single texts: exponential smoothing, and runs of tokens no longer than the texts. expected_output
    may be a list of up to 20 texts, any of which would do. A text may have 100,000 characters.
    """
    output, references = _texts(params, subject)
    tokenize = params.tokenize
    if tokenize == "auto":
        tokenize = "char" if _WITHOUT_SPACES.search("".join(references)) else "13a"
    score = _bleu(tokenize, params.max_ngram).sentence_score(output, references)
    return min(1.0, float(score.score) / 100)


class ChrfParams(TranslationParams):
    """Parameters of `chrf`."""

    char_order: Annotated[int, Field(ge=1, le=10), AS_WHOLE] = Field(
        default=6, description="The longest run of characters that is compared."
    )
    word_order: Annotated[int, Field(ge=0, le=4), AS_WHOLE] = Field(
        default=0, description="The longest run of words that is compared too; 2 makes it chrF++."
    )
    beta: Annotated[int, Field(ge=1, le=10), AS_WHOLE] = Field(
        default=2, description="How much more recall counts than precision."
    )


@item_builtin(ChrfParams, gives=Gives.SCORE, extra="text")
def chrf(params: ChrfParams, subject: Subject) -> Verdict:
    """The chrF score of the output against expected_output (Popović 2015), from 0 to 1, as sacreBLEU computes it.

    It compares runs of characters and so suits every script. expected_output may be a list of up to 20 texts, any of
    which would do. A text may have 100,000 characters.
    """
    output, references = _texts(params, subject)
    score = _chrf(params.char_order, params.word_order, params.beta).sentence_score(output, references)
    return min(1.0, float(score.score) / 100)


def _texts(params: TranslationParams, subject: Subject) -> tuple[str, list[str]]:
    expected = subject.expected(params.expected_path)
    references = expected if isinstance(expected, list) else [expected]
    if not references or not all(isinstance(reference, str) for reference in references):
        raise Unscored(f"expected_output is {kind_of(expected)}, neither text nor a list of texts")
    if len(references) > MAX_REFERENCES:
        raise CannotJudge(f"{len(references)} expected outputs are too many; {MAX_REFERENCES} are allowed")
    texts = [prepare(text, params) for text in [text_of(subject.output(params.output_path)), *references]]
    longest = max(map(len, texts))
    if longest > MAX_CHARACTERS:
        raise CannotJudge(f"a text of {longest} characters is too long; {MAX_CHARACTERS} are allowed")
    if not any(texts[1:]):
        raise Unscored("expected_output is empty")
    return texts[0], texts[1:]


@cache
def _bleu(tokenize: str, max_ngram: int) -> Any:
    from sacrebleu.metrics.bleu import BLEU

    return BLEU(tokenize=tokenize, effective_order=True, max_ngram_order=max_ngram)


@cache
def _chrf(char_order: int, word_order: int, beta: int) -> Any:
    from sacrebleu.metrics.chrf import CHRF

    return CHRF(char_order=char_order, word_order=word_order, beta=beta)
