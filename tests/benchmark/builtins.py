"""Measures builtins against the libraries that they wrap: `python -m tests.benchmark.builtins`.

Both judge the same 200 pairs of answers of about 200 characters, one by one, in one thread. A builtin also reads two JSON
documents, normalises texts and makes an evaluation; the library's side only compares.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import jsonschema_rs
import numpy as np
import re2
from cel_expr_python import cel
from rapidfuzz.distance import JaroWinkler, LCSseq, Levenshtein

from evalrpc_server.evaluators.builtin.judge import judge
from evalrpc_server.evaluators.builtin.params import Params
from evalrpc_server.evaluators.builtin.table import BUILTINS
from evalrpc_server.evaluators.builtin.validation import read_params
from evalrpc_server.evaluators.embedding import cosine
from evalrpc_server.evaluators.expression.judging import judge_by
from evalrpc_server.evaluators.judge.forms import score_form
from evalrpc_server.evaluators.judge.parsing import read_answer
from evalrpc_server.evaluators.port import Case
from tests.evaluators.cases import case

PAIRS = 200
ROUNDS = 5
SCHEMA = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}


_SOURCE = random.Random(2)
_VECTORS = [tuple(_SOURCE.gauss(0, 1) for _ in range(1536)) for _ in range(PAIRS + 1)]
_ARRAYS = [np.array(vector) for vector in _VECTORS]


@dataclass(frozen=True, slots=True)
class Rate:
    """Judgements per second: the best of `ROUNDS` rounds."""

    name: str
    builtin: float
    wrapped: float


def pairs() -> list[tuple[str, str]]:
    """Answers with the expected ones; some words of an answer are wrong."""
    source = random.Random(1)
    words = [f"{source.choice('abcdefghij') * 2}{source.randrange(1000)}" for _ in range(300)]
    made = []
    for _ in range(PAIRS):
        expected = source.choices(words, k=36)
        made.append((" ".join(w if source.random() < 0.8 else "wrong" for w in expected), " ".join(expected)))
    return made


def libraries() -> dict[str, tuple[dict[str, Any], Callable[[str, str], object]]]:
    """The parameters of a builtin and what it wraps."""
    pattern = re2.compile(r"\b[a-j]{2}\d+ wrong\b")
    validator = jsonschema_rs.validator_for(SCHEMA)
    return {
        "exact_match": ({}, lambda a, b: a == b),
        "contains": ({}, lambda a, b: b in a),
        "regex": ({"pattern": r"\b[a-j]{2}\d+ wrong\b"}, lambda a, _: pattern.search(a)),
        "levenshtein": ({}, Levenshtein.normalized_similarity),
        "jaro_winkler": ({}, JaroWinkler.similarity),
        "rouge_l": ({}, lambda a, b: LCSseq.normalized_similarity(a.split(), b.split())),
        "json_equal": (
            {},
            lambda a, b: json.loads(f'{{"answer": "{a}"}}') == json.loads(f'{{"answer": "{b}"}}'),
        ),
        "json_schema": ({"schema": SCHEMA}, lambda a, _: validator.is_valid({"answer": a})),
        "length": ({}, lambda a, _: len(a)),
    }


def measure() -> list[Rate]:
    """Measures every builtin and its library in turn."""
    rates = []
    texts = pairs()
    for name, (params, library) in libraries().items():
        wraps_documents = name.startswith("json")
        documents = [({"answer": a}, {"answer": b}) if wraps_documents else (a, b) for a, b in texts]
        cases = [case(output, expected) for output, expected in documents]
        rates.append(
            Rate(
                name,
                _rate(partial(_judge_all, name, read_params(BUILTINS[name], params), cases)),
                _rate(partial(_compare_all, library, texts)),
            )
        )
    return rates


def measure_others() -> list[Rate]:
    """Measures an expression beside the CEL library, and reading a judge's verdict beside parsing its JSON."""
    texts = pairs()
    cases = [case(output, expected) for output, expected in texts]
    source = "output.contains(expected_output) && size(output) < 1000"
    kinds = dict.fromkeys(("output", "expected_output"), cel.Type.DYN)
    compiled = cel.NewEnv(variables=kinds).compile(source)
    form = score_form(0, 1)
    answers = [json.dumps({"reasoning": output, "score": 0.5}) for output, _ in texts]
    return [
        Rate(
            "expression",
            _rate(lambda: [judge_by({}, source, "e", judged) for judged in cases]),
            _rate(lambda: [compiled.eval(data={"output": a, "expected_output": b}) for a, b in texts]),
        ),
        Rate(
            "judge verdict",
            _rate(lambda: [form.read(read_answer(answer)) for answer in answers]),
            _rate(lambda: [json.loads(answer) for answer in answers]),
        ),
        Rate(
            "cosine 1536",
            _rate(lambda: [cosine(one, other) for one, other in pairwise(_VECTORS)]),
            _rate(lambda: [np.dot(a, b) for a, b in pairwise(_ARRAYS)]),
        ),
    ]


def _judge_all(name: str, params: Params, cases: list[Case]) -> None:
    for judged in cases:
        judge({}, name, params, name, judged)


def _compare_all(library: Callable[[str, str], object], texts: list[tuple[str, str]]) -> None:
    for output, expected in texts:
        library(output, expected)


def _rate(work: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return PAIRS / best


def main() -> None:
    """Prints the table."""
    sys.stdout.write(f"{'builtin':<14}{'builtin/s':>12}{'library/s':>12}{'us more':>9}\n")
    for rate in [*measure(), *measure_others()]:
        more = 1e6 / rate.builtin - 1e6 / rate.wrapped
        sys.stdout.write(f"{rate.name:<14}{rate.builtin:>12,.0f}{rate.wrapped:>12,.0f}{more:>9.1f}\n")


if __name__ == "__main__":
    main()
