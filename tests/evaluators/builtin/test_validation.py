"""What is wrong with the use of a builtin is said before anything runs, by path, all at once."""

from __future__ import annotations

from typing import Any

import pytest

from evalrpc_server.evaluators.builtin.registry import Level
from evalrpc_server.evaluators.builtin.table import BUILTINS
from evalrpc_server.evaluators.builtin.validation import validate_builtin


def problems(name: str, params: dict[str, Any], level: Level = Level.ITEM) -> dict[str, str]:
    return {v.path: v.description for v in validate_builtin(name, params, level)}


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [("contain", "contains"), ("Exact-Match", "exact_match"), ("jsonequal", "json_equal")],
)
def test_an_unknown_builtin_is_answered_with_one_that_is_known(name, suggestion):
    assert f"did you mean {suggestion}?" in problems(name, {})["builtin.name"]


def test_an_unknown_builtin_like_no_other_points_to_the_list():
    assert problems("zzzzzz", {})["builtin.name"] == (
        "there is no builtin 'zzzzzz'; ListBuiltinEvaluators lists them"
    )
    assert "is required" in problems("", {})["builtin.name"]


def test_builtins_of_the_other_level_are_refused():
    assert "under run_evaluators" in problems("mean", {"evaluation": "a"})["builtin.name"]
    assert "under evaluators" in problems("contains", {}, Level.RUN)["builtin.name"]


def test_all_parameters_that_are_wrong_are_named_at_once():
    found = problems("numeric_close", {"absolute": -1, "relative": "x", "extract": "middle", "tolerence": 1})
    assert found.keys() == {
        "builtin.params.absolute",
        "builtin.params.relative",
        "builtin.params.extract",
        "builtin.params.tolerence",
    }
    assert "greater than or equal to 0" in found["builtin.params.absolute"]


def test_a_misspelt_parameter_is_answered_with_the_right_one():
    assert (
        "did you mean ignore_case?" in problems("contains", {"ignorecase": True})["builtin.params.ignorecase"]
    )
    assert problems("latency", {"x": 1})["builtin.params.x"] == "is no parameter of latency; it takes none"


@pytest.mark.parametrize(
    ("params", "hint"),
    [
        ({}, "is required by regex"),
        ({"pattern": ""}, "at least 1 character"),
        ({"pattern": "a(?=b)"}, "at character 2 ((?=); RE2 has no look-around"),
        ({"pattern": "(?<!a)b"}, "RE2 has no look-around"),
        ({"pattern": r"(a)\1"}, r"at character 4 (\1); RE2 has no back-references"),
        ({"pattern": "(a"}, "missing )"),
        ({"pattern": "x{1001}"}, "at most 1000 repetitions"),
        ({"pattern": "((a{100}){100}){100}"}, "at most 1000 repetitions"),
        ({"pattern": r"\pL{900}"}, "too large"),
        ({"pattern": r"\pL{30}x"}, "too large: it compiles to"),
        ({"pattern": 3.0}, "must be a valid string"),
    ],
)
def test_a_pattern_that_the_engine_refuses_is_explained(params, hint):
    assert hint in problems("regex", params)["builtin.params.pattern"]


@pytest.mark.parametrize("pointer", ["answer", "/a~2", "/a~"])
def test_a_pointer_has_to_be_one(pointer):
    assert (
        "JSON pointer (RFC 6901)"
        in problems("contains", {"output_path": pointer})["builtin.params.output_path"]
    )


def test_a_column_is_an_evaluation_or_a_measure():
    for name, params in [("mean", {}), ("standard_error", {"evaluation": "a", "measure": "cost"})]:
        assert "exactly one of evaluation and measure" in problems(name, params, Level.RUN)["builtin.params"]


@pytest.mark.parametrize("p", [-1, 101, "95", True, None, float("nan")])
def test_a_percentile_is_a_number_from_0_to_100(p):
    assert "builtin.params.p" in problems("percentile", {"measure": "latency", "p": p}, Level.RUN)


def test_numbers_from_a_struct_are_taken_for_whole_ones_and_booleans_for_nothing_else():
    assert problems("percentile", {"measure": "latency", "p": 95.0}, Level.RUN) == {}
    assert "builtin.params.ignore_case" in problems("contains", {"ignore_case": "yes"})


@pytest.mark.parametrize("name", BUILTINS)
@pytest.mark.parametrize(
    "params", [{"\x00": 1}, {"": None}, {"x" * 100_000: 1}, {"value": [[[[]]]], "pattern": {}, "p": []}]
)
def test_no_parameters_break_the_check(name, params):
    assert validate_builtin(name, params, BUILTINS[name].level)
