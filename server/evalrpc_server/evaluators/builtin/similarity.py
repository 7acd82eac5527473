"""Builtins that say how similar two texts are, from 0 to 1."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

from pydantic import Field
from rapidfuzz.distance import JaroWinkler, LCSseq, Levenshtein

from evalrpc_server.evaluators.builtin.params import Comparing, Finite, TextOptions
from evalrpc_server.evaluators.builtin.registry import Gives, item_builtin
from evalrpc_server.evaluators.builtin.subject import Subject, text_of
from evalrpc_server.evaluators.builtin.unicode import prepare
from evalrpc_server.evaluators.builtin.verdicts import CannotJudge, Scored, Verdict
from evalrpc_server.evaluators.builtin.words import words_of

MAX_CELLS = 1_000_000_000
"""The largest product of the lengths of two texts for which an alignment is computed; it takes about 25 ms."""

MAX_ELEMENT_CELLS = 100_000_000
"""The same for two lists of words or other elements."""

MAX_EDITS = 1_000
"""The largest edit distance that is computed between longer texts; for 1 MiB each it takes about 25 ms."""


class SimilarityParams(Comparing, TextOptions):
    """Parameters of `levenshtein` and `jaro_winkler`."""


@item_builtin(SimilarityParams, gives=Gives.SCORE)
def levenshtein(params: SimilarityParams, subject: Subject) -> Verdict:
    """How similar the output is to expected_output: 1 minus the edit distance over the length of the longer text.

    The distance counts inserted, deleted and replaced code points (Levenshtein 1966); two empty texts are similar (1).
    Documents that are not text are compared as compact JSON. Where the lengths multiply to more than 10^9 (two texts of
    31,000 characters), only distances up to 1,000 are computed; beyond, the evaluation is an error that says so.
    """
    output, expected = _texts(params, subject)
    return edit_similarity(output, expected)


class JaroWinklerParams(SimilarityParams):
    """Parameters of `jaro_winkler`."""

    prefix_weight: Finite = Field(
        default=0.1, ge=0, le=0.25, description="How much a common beginning of up to four characters adds."
    )


@item_builtin(JaroWinklerParams, gives=Gives.SCORE)
def jaro_winkler(params: JaroWinklerParams, subject: Subject) -> Verdict:
    """How similar the output is to expected_output by Jaro and Winkler (1990): made for names and other short texts.

    It counts characters that both share at about the same place, and rewards a common beginning. The lengths may
    multiply to 10^9 at most; beyond, the evaluation is an error that says so.
    """
    output, expected = _texts(params, subject)
    _check_cells(output, expected, MAX_CELLS, "characters")
    return JaroWinkler.similarity(output, expected, prefix_weight=params.prefix_weight)


class WordOverlapParams(Comparing, TextOptions):
    """Parameters of `token_f1` and `rouge_l`."""

    ignore_case: bool = Field(
        default=True, description="Compare without regard to case, by Unicode case folding."
    )


@item_builtin(WordOverlapParams, gives=Gives.SCORE)
def token_f1(params: WordOverlapParams, subject: Subject) -> Verdict:
    """The F1 score of the output's words against those of expected_output, whatever their order (as in SQuAD).

    Words are runs of letters and digits in any script; in Chinese, Japanese, Thai and other scripts without spaces each
    character counts as a word. Nothing is left out but punctuation. Two texts without words score 1.
    """
    output, expected = (words_of(text) for text in _texts(params, subject))
    common = sum((Counter(output) & Counter(expected)).values())
    return f_score(common, len(output), len(expected))


@item_builtin(WordOverlapParams, gives=Gives.SCORE)
def rouge_l(params: WordOverlapParams, subject: Subject) -> Verdict:
    """ROUGE-L (Lin 2004): the F1 score of the longest common subsequence of words of the output and expected_output.

    Words are as for `token_f1`, without stemming. The numbers of words may multiply to 10^8 at most; beyond, the
    evaluation is an error that says so.
    """
    output, expected = (words_of(text) for text in _texts(params, subject))
    return f_score(common_subsequence(output, expected), len(output), len(expected))


def f_score(common: int, found: int, wanted: int) -> Scored:
    """Returns the F1 score of `common` hits among `found` and `wanted`, with precision and recall."""
    if not found and not wanted:
        return Scored(1.0, "both are empty")
    precision = common / found if found else 0.0
    recall = common / wanted if wanted else 0.0
    return Scored(
        2 * common / (found + wanted),
        f"precision {precision:.3f} ({common} of {found}), recall {recall:.3f} ({common} of {wanted})",
    )


def common_subsequence(a: Sequence[Hashable], b: Sequence[Hashable]) -> int:
    """Returns the length of the longest common subsequence.

    Raises:
        CannotJudge: the sequences are too long.
    """
    _check_cells(a, b, MAX_ELEMENT_CELLS, "elements")
    numbers: dict[Hashable, int] = {}
    return LCSseq.similarity(
        [numbers.setdefault(item, len(numbers)) for item in a],
        [numbers.setdefault(item, len(numbers)) for item in b],
    )


def edit_similarity(a: str, b: str) -> float:
    """Returns 1 - distance / length of the longer text, in bounded time.

    Raises:
        CannotJudge: the texts are long and far from each other.
    """
    longer = max(len(a), len(b))
    if not longer:
        return 1.0
    if len(a) * len(b) <= MAX_CELLS:
        return Levenshtein.normalized_similarity(a, b)
    distance = Levenshtein.distance(a, b, score_cutoff=MAX_EDITS)
    if distance > MAX_EDITS:
        raise CannotJudge(
            f"the texts ({len(a)} and {len(b)} characters) are more than {MAX_EDITS} edits apart; "
            "texts of this length are compared only up to there"
        )
    return 1 - distance / longer


def _texts(params: SimilarityParams | WordOverlapParams, subject: Subject) -> tuple[str, str]:
    expected = prepare(text_of(subject.expected(params.expected_path)), params)
    return prepare(text_of(subject.output(params.output_path)), params), expected


def _check_cells(a: Sequence[object], b: Sequence[object], most: int, unit: str) -> None:
    if len(a) * len(b) > most:
        raise CannotJudge(f"{len(a)} and {len(b)} {unit} are too many to align: their product may be {most}")
