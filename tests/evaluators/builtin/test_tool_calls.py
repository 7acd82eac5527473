"""Tool calls are read from the forms in which models and frameworks write them."""

from __future__ import annotations

import json

import pytest

from tests.evaluators.cases import case, say, value

WEATHER = {"name": "weather", "arguments": {"city": "Paris", "days": 3}}
TIME = {"name": "time", "arguments": {}}
OPENAI = {
    "role": "assistant",
    "content": None,
    "tool_calls": [
        {
            "id": "call_1",
            "type": "function",
            "function": {"name": "weather", "arguments": '{"days": 3.0, "city": "Paris"}'},
        },
        {"id": "call_2", "type": "function", "function": {"name": "time", "arguments": ""}},
    ],
}
ANTHROPIC = {
    "role": "assistant",
    "content": [
        {"type": "text", "text": "Let me look."},
        {"type": "tool_use", "id": "1", "name": "weather", "input": {"city": "Paris", "days": 3}},
        {"type": "tool_use", "id": "2", "name": "time", "input": {}},
    ],
}


@pytest.mark.parametrize(
    "output", [[WEATHER, TIME], OPENAI, ANTHROPIC, json.dumps(OPENAI), {"tool_calls": [WEATHER, TIME]}]
)
def test_the_same_calls_match_in_every_form(output):
    assert value("tool_calls_match", output, [WEATHER, TIME]) is True
    assert value("tool_call_f1", output, [WEATHER, TIME]) == 1.0


@pytest.mark.parametrize(
    ("output", "mode", "verdict"),
    [
        ([WEATHER, TIME], "strict", True),
        ([TIME, WEATHER], "strict", False),
        ([TIME, WEATHER], "unordered", True),
        ([TIME], "unordered", False),
        ([TIME], "subset", True),
        ([TIME, TIME], "subset", False),
        ([TIME], "superset", False),
        ([TIME, WEATHER, TIME], "superset", True),
        ([], "subset", True),
    ],
)
def test_modes(output, mode, verdict):
    assert value("tool_calls_match", output, [WEATHER, TIME], mode=mode) is verdict


def test_arguments_count_unless_told_otherwise():
    wrong = {"name": "weather", "arguments": {"city": "Rome"}}
    assert value("tool_calls_match", [wrong], [WEATHER]) is False
    assert value("tool_calls_match", [wrong], [WEATHER], compare_arguments=False) is True
    assert value("tool_calls_match", ["weather"], [WEATHER], compare_arguments=False) is True


def test_the_comment_names_what_is_missing_and_what_is_too_much():
    said = say("tool_calls_match", case([TIME], [WEATHER]))
    assert said.comment == 'missing: weather{"city":"Paris","days":3.0}; not expected: time{}'
    assert say("tool_calls_match", case([TIME, WEATHER], [WEATHER, TIME])).comment == "the order differs"


def test_f1_of_some_calls():
    assert value("tool_call_f1", [WEATHER, TIME, TIME], [WEATHER]) == pytest.approx(0.5)
    assert value("tool_call_f1", {"role": "assistant", "content": []}, []) == 1.0


@pytest.mark.parametrize("output", [[3], [{"tool": "x"}], 3, None])
def test_an_output_without_tool_calls_is_wrong(output):
    assert value("tool_calls_match", output, [WEATHER]) is False
    assert value("tool_call_f1", output, [WEATHER]) == 0.0
    assert say("tool_calls_match", case([WEATHER], output)).unscored


def test_an_expected_output_in_plain_text_judges_nothing():
    assert say("tool_calls_match", case([WEATHER], "look it up")).unscored


@pytest.mark.parametrize("output", ["I know it: 21 degrees.", {"role": "assistant", "content": "21"}, [], {}])
def test_an_answer_without_calls_is_right_where_none_are_expected(output):
    assert value("tool_calls_match", output, []) is True
    assert value("tool_call_f1", output, []) == 1.0
    assert value("tool_calls_match", output, [WEATHER]) is False
    assert value("tool_call_f1", output, [WEATHER]) == 0.0
