"""Text builtins say what a person would say, in any script."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evaluators.cases import case, say, value


@pytest.mark.parametrize(
    ("output", "expected", "params", "verdict"),
    [
        ("Paris", "Paris", {}, True),
        ("Paris", "paris", {}, False),
        ("PARIS", "paris", {"ignore_case": True}, True),
        ("STRASSE", "straße", {"ignore_case": True}, True),
        (" Paris\n", "Paris", {}, False),
        (" Paris\n", "Paris", {"strip": True}, True),
        ("Москва", "Москва", {}, True),
        ("МОСКВА", "москва", {"ignore_case": True}, True),
        ("北京", "北京", {}, True),
        ("caf\u00e9", "cafe\u0301", {}, True),
        ("caf\u00e9", "cafe\u0301", {"normalize": "none"}, False),
        ("Ｔｏｋｙｏ", "Tokyo", {}, False),
        ("Ｔｏｋｙｏ", "Tokyo", {"normalize": "NFKC"}, True),
        ("", "", {}, True),
        (3, 3.0, {}, True),
        (42, "42", {}, False),
        (True, 1, {}, False),
        (0, False, {}, False),
        (None, None, {}, True),
        ({"a": 1, "b": [1, 2]}, {"b": [1, 2], "a": 1}, {}, True),
        ([1, 2], [2, 1], {}, False),
        ({"answer": "Paris", "sure": 0.9}, "Paris", {"output_path": "/answer"}, True),
        ("Paris", "Paris", {"negate": True}, False),
        ("Paris", "Rome", {"negate": True}, True),
    ],
)
def test_exact_match(output, expected, params, verdict):
    assert value("exact_match", output, expected, **params) is verdict


@given(st.text())
def test_any_text_matches_itself_and_is_wholly_similar(text):
    assert value("exact_match", text, text, ignore_case=True, strip=True) is True
    assert value("levenshtein", text, text, ignore_case=True) == 1.0


@pytest.mark.parametrize(
    ("output", "expected", "params", "verdict"),
    [
        ("The capital is Paris.", "Paris", {}, True),
        ("The capital is PARIS.", "Paris", {}, False),
        ("The capital is PARIS.", "Paris", {"ignore_case": True}, True),
        ("Столица - МОСКВА.", "москва", {"ignore_case": True}, True),
        ("首都是北京。", "北京", {}, True),
        ({"answer": "Paris"}, "Paris", {}, True),
        ({"n": 42}, 42, {}, True),
        ("anything", "ignored", {"value": "any"}, True),
        ("I cannot help", "ignored", {"value": "cannot", "negate": True}, False),
        ('```json\n{"a": {"b/c": "Paris!"}}\n```', "Paris", {"output_path": "/a/b~1c"}, True),
    ],
)
def test_contains(output, expected, params, verdict):
    assert value("contains", output, expected, **params) is verdict


def test_the_contracts_example_of_contains():
    said = say("contains", case("The capital of France is PARIS.", "Paris"), ignore_case=True)
    assert said.value is True
    assert said.evaluator == "builtin/contains@1"


@pytest.mark.parametrize("name", ["exact_match", "contains", "json_equal", "numeric_close", "levenshtein"])
def test_without_an_expected_output_an_item_is_unscored_and_not_zero(name):
    said = say(name, case("Paris"))
    assert said.value is None
    assert said.error is None
    assert said.unscored == "the item has no expected_output"


def test_contains_a_fixed_value_needs_no_expected_output():
    assert say("contains", case("Paris!"), value="Paris").value is True


def test_an_empty_expected_output_is_contained_in_everything_so_it_scores_nothing():
    assert "every output has that" in (say("contains", case("Paris", "")).unscored or "")


def test_an_expected_path_without_a_value_leaves_the_item_unscored():
    assert say("exact_match", case("Paris", {"b": 1}), expected_path="/a").unscored == (
        "expected_output has no value at /a"
    )


@pytest.mark.parametrize("output", [{"b": 1}, "no JSON at all", 3, [1]])
@pytest.mark.parametrize("negate", [True, False])
def test_an_output_without_the_value_asked_for_is_wrong_however_the_question_is_put(output, negate):
    said = say("exact_match", case(output, "Paris"), output_path="/answer", negate=negate)
    assert said.value is False
    assert said.comment == "the output has no value at /answer"


@pytest.mark.parametrize(
    ("output", "params", "verdict"),
    [
        ("order 123-4567", {"pattern": r"\d{3}-\d{4}"}, True),
        ("order 123-4567", {"pattern": r"\d{3}-\d{4}", "full_match": True}, False),
        ("123-4567", {"pattern": r"\d{3}-\d{4}", "full_match": True}, True),
        ("PARIS", {"pattern": "paris"}, False),
        ("PARIS", {"pattern": "paris", "ignore_case": True}, True),
        ("МОСКВА", {"pattern": "москва", "ignore_case": True}, True),
        ("a\nb", {"pattern": "a.b"}, False),
        ("a\nb", {"pattern": "(?s)a.b"}, True),
        ({"a": [1, 2]}, {"pattern": r'^\{"a":\[1,2\]\}$'}, True),
        ("no digits", {"pattern": r"\d", "negate": True}, True),
        ({"zip": "12345"}, {"pattern": r"^\d{5}$", "output_path": "/zip"}, True),
        ("北京市", {"pattern": r"^\p{Han}+$"}, True),
    ],
)
def test_regex(output, params, verdict):
    assert value("regex", output, **params) is verdict


@pytest.mark.parametrize(
    ("name", "output", "expected", "params", "verdict"),
    [
        ("contains_any", "red and blue", ["green", "blue"], {}, True),
        ("contains_any", "red", ["green", "blue"], {}, False),
        ("contains_any", "red and blue", "blue", {}, True),
        ("contains_any", "RED", "ignored", {"values": ["red"], "ignore_case": True}, True),
        ("contains_all", "red and blue", ["red", "blue"], {}, True),
        ("contains_all", "red", ["red", "blue"], {}, False),
        ("contains_all", "首都是北京", ["北京", "首都"], {}, True),
        ("contains_all", "red", ["red", "blue"], {"negate": True}, True),
        ("starts_with", "Paris is it", "Paris", {}, True),
        ("starts_with", "It is Paris", "Paris", {}, False),
        ("starts_with", " paris", "x", {"value": "PARIS", "strip": True, "ignore_case": True}, True),
        ("ends_with", "It is Paris", "Paris", {}, True),
        ("ends_with", "Это Москва", "МОСКВА", {"ignore_case": True}, True),
        ("ends_with", "Paris.", "Paris", {}, False),
    ],
)
def test_parts_of_texts(name, output, expected, params, verdict):
    assert value(name, output, expected, **params) is verdict


def test_contains_all_names_what_is_missing():
    said = say("contains_all", case("red", ["red", "blue", "green"]))
    assert said.comment == 'does not contain "blue", "green"'


@pytest.mark.parametrize("expected", [{"a": 1}, [], [1], ["", "a"], ""])
def test_texts_to_look_for_that_are_none_judge_nothing(expected):
    assert say("contains_any", case("red", expected)).unscored


@pytest.mark.parametrize("name", ["starts_with", "ends_with"])
def test_an_empty_beginning_or_end_judges_nothing(name):
    assert "every output has that" in (say(name, case("red", "")).unscored or "")
