"""Whatever an output holds, judging it takes bounded time and fails, if at all, as an error of that evaluation."""

from __future__ import annotations

import random
from typing import Any

import pytest

from evalrpc_server.domain.reasons import Reason
from evalrpc_server.evaluators.builtin.params import own_first
from evalrpc_server.evaluators.builtin.registry import Level
from evalrpc_server.evaluators.builtin.table import BUILTINS
from tests.evaluators.cases import Raw, case, say, scored

MEBIBYTE = 1024 * 1024 - 10
PARAMS: dict[str, dict[str, Any]] = {
    "regex": {"pattern": "(?:a|b)*a(?:a|b){500}c"},
    "json_schema": {
        "schema": {"items": {"$ref": "#"}, "additionalProperties": {"$ref": "#"}, "type": "array"}
    },
    "json_value": {"path": "/0/0/a", "value": [1]},
    "weighted_mean": {"weights": {"accuracy": 1}},
}
OPTIONS = {
    "ignore_case": True,
    "normalize": "NFKC",
    "strip": True,
    "ignore_order": True,
    "similar_text": True,
    "ordered": True,
    "extract": "last",
    "output_path": "/0",
}
ITEM_BUILTINS = [
    name for name, builtin in BUILTINS.items() if builtin.level is Level.ITEM and builtin.judge is not None
]

HOSTILE = {
    "long text": "ab" * (MEBIBYTE // 2),
    "long text without words": "\u5317" * (MEBIBYTE // 3),
    "combining marks out of order": "a" + "\u0301\u0323" * (MEBIBYTE // 4),
    "letters that grow when folded": "\ufdfa" * (MEBIBYTE // 3),
    "deep lists": Raw("[" * 900 + "]" * 900),
    "too deep lists": Raw("[" * 100_000 + "]" * 100_000),
    "deep objects": Raw('{"a":' * 900 + "1" + "}" * 900),
    "deep JSON in text": "[" * 500_000 + "]" * 500_000,
    "a wide list": [[1]] * 80_000,
    "a wide object": {f"k{i}": i for i in range(60_000)},
    "a number of 4,000 digits": Raw("7" * 4_000),
    "a number of a million digits": Raw("7" * 1_000_000),
    "digits in text": "7" * MEBIBYTE,
    "many numbers in text": "1e5 " * (MEBIBYTE // 4),
    "a number out of range": Raw("1e400"),
    "numbers that hash alike": [i * (2**61 - 1) for i in range(40_000)],
    "an open code fence": "```json\n" * (MEBIBYTE // 9),
    "a code fence of blanks": "```\n" + " " * MEBIBYTE,
    "NUL characters": "\x00" * (MEBIBYTE // 6),
    "nothing": "",
    "null": None,
}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("name", ITEM_BUILTINS)
@pytest.mark.timeout(60)
def test_every_builtin_survives_every_hostile_output(name, kind):
    output = HOSTILE[kind]
    takes = own_first(BUILTINS[name].params)
    options = {key: given for key, given in OPTIONS.items() if key in takes}
    for params in (PARAMS.get(name, {}), {**PARAMS.get(name, {}), **options}):
        for expected in (output, "short"):
            said = say(name, case(output, expected, evaluations=[scored(0.5)]), **params)
            assert [said.value, said.unscored, said.error].count(None) == 2
            if said.error is not None:
                assert said.error.reason is Reason.EVALUATOR_FAILED
                assert len(said.error.message) <= 1_000
            assert len(said.comment) <= 1_000


def test_edit_distance_of_long_texts_is_exact_while_they_are_close():
    text = "".join(random.Random(1).choices("abcdefgh", k=500_000))
    near = text[:1000] + "XYZ" + text[1003:]
    assert say("levenshtein", case(near, text)).value == pytest.approx(1 - 3 / 500_000, abs=1e-15)


def test_edit_distance_of_long_texts_that_are_far_apart_is_an_error_that_says_so():
    source = random.Random(1)
    a, b = ("".join(source.choices("abcdefgh", k=400_000)) for _ in range(2))
    said = say("levenshtein", case(a, b))
    assert said.error is not None
    assert "more than 1000 edits apart" in said.error.message


def test_too_many_combining_marks_are_an_error_that_names_the_way_out():
    output = "a" + "\u0301\u0323" * 4_000
    said = say("exact_match", case(output, "a"))
    assert said.error is not None
    assert "set normalize to none" in said.error.message
    assert say("exact_match", case(output, output), normalize="none").value is True


def test_a_large_pattern_on_a_large_text_is_refused_and_not_tried():
    said = say("regex", case("ab" * 300_000), pattern="(?:(?:a|b)?){900}c")
    assert said.error is not None
    assert "too large for a text of 600000 characters" in said.error.message
