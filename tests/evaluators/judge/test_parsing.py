"""What models answer, in all the ways they do, and what is read from it."""

from __future__ import annotations

import pytest

from evalrpc_server.evaluators.judge.forms import (
    Form,
    average_precision,
    boolean_form,
    contexts_form,
    label_form,
    pair_form,
    score_form,
    statements_form,
)
from evalrpc_server.evaluators.judge.parsing import read_answer
from evalrpc_server.evaluators.judge.verdicts import InvalidVerdictError, Verdict

SCORE = score_form(0, 1)
FIVE = score_form(1, 5)
LABEL = label_form(["Good", "not good"])
BOOLEAN = boolean_form()
PAIR = pair_form()


def read(form: Form, text: str) -> Verdict:
    return form.read(read_answer(text))


@pytest.mark.parametrize(
    ("form", "text", "value"),
    [
        (SCORE, '{"reasoning": "fine", "score": 0.75}', 0.75),
        (SCORE, '{"Rating": 0.75, "Explanation": "fine"}', 0.75),
        (SCORE, '{"final_score": "0.75"}', 0.75),
        (SCORE, '{"评分": 0.75, "理由": "不错"}', 0.75),
        (SCORE, '{"evaluation": {"score": 0.75, "reason": "fine"}}', 0.75),
        (SCORE, '[{"score": 0.75}]', 0.75),
        (SCORE, '{"result": [{"grade": 0.75}]}', 0.75),
        (SCORE, '{"helpfulness": 0.75, "reason": "fine"}', 0.75),
        (SCORE, '```json\n{"score": 0.75}\n```', 0.75),
        (SCORE, 'Here you are:\n{"score": 0.75}\nI hope this helps.', 0.75),
        (SCORE, '<think>maybe {"score": 0.1}?</think>\n{"score": 0.75}', 0.75),
        (SCORE, 'First {"score": 0.1}, on reflection {"score": 0.75}', 0.75),
        (SCORE, "0.75", 0.75),
        (SCORE, '{"score": 1}', 1.0),
        (FIVE, '{"score": "4/5"}', 4.0),
        (LABEL, '{"label": "good"}', "Good"),
        (LABEL, '{"category": " Not Good. "}', "not good"),
        (LABEL, '{"reasoning": "Good", "quality": "not good"}', "not good"),
        (LABEL, '"Good"', "Good"),
        (LABEL, "not good", "not good"),
        (BOOLEAN, '{"passed": true}', True),
        (BOOLEAN, '{"is_correct": "yes"}', True),
        (BOOLEAN, '{"verdict": "FAIL", "reason": "no"}', False),
        (BOOLEAN, '{"通过": "否"}', False),
        (BOOLEAN, '{"score": 0}', False),
        (BOOLEAN, "No", False),
        (PAIR, '{"winner": "first"}', "first"),
        (PAIR, '{"better": "Output B"}', "second"),
        (PAIR, '{"winner": 2}', "second"),
        (PAIR, '{"preference": "neither"}', "tie"),
        (
            statements_form(),
            '{"statements": [{"statement": "a", "supported": true}, {"statement": "b", "supported": false}]}',
            0.5,
        ),
        (statements_form(), '{"claims": [{"claim": "a", "verdict": "supported"}]}', 1.0),
        (statements_form(), '[{"statement": "a", "is_supported": "no"}]', 0.0),
        (statements_form(), '{"statements": []}', None),
        (
            contexts_form(2),
            '{"contexts": [{"number": 2, "useful": true}, {"number": 1, "useful": false}]}',
            0.5,
        ),
        (contexts_form(2), '{"passages": [true, true]}', 1.0),
    ],
)
def test_a_verdict_is_read_however_it_is_written(form: Form, text: str, value: object):
    found = read(form, text)
    assert found.value == value
    assert type(found.value) is type(value)
    assert bool(found.unscored) == (value is None)


@pytest.mark.parametrize(
    ("form", "text", "problem"),
    [
        (SCORE, "", "is empty"),
        (SCORE, "<think>hm</think>", "is empty"),
        (SCORE, "It is a good answer.", "has a score that is no number"),
        (SCORE, "It is good. " * 100, "holds no JSON object"),
        (SCORE, '{"score": 7}', "has the score 7, which is not from 0 to 1"),
        (SCORE, '{"score": NaN}', "has the score nan"),
        (SCORE, '{"score": "high"}', "has a score that is no number"),
        (SCORE, '{"score": true}', "has a score that is no number"),
        (SCORE, '{"a": 0.1, "b": 0.2}', "has no member score"),
        (SCORE, '{"score": null}', "has no member score"),
        (SCORE, '{"score": "4/5"}', "has a score that is no number"),
        (SCORE, '{"score": 0.5', "holds no JSON object"),
        (SCORE, '{"score": 1e999}', "has the score inf"),
        (LABEL, '{"label": "great"}', "has a label that is none of Good, not good"),
        (BOOLEAN, '{"passed": "partly"}', "neither true nor false"),
        (BOOLEAN, '{"passed": 2}', "neither true nor false"),
        (PAIR, '{"winner": "third"}', "none of first, second, tie"),
        (statements_form(), '{"statements": "none"}', "has no member statements"),
        (statements_form(), '{"statements": [{"statement": "a"}]}', "neither true nor false"),
        (contexts_form(2), '{"contexts": [true]}', "speaks of 1 passages, not of 2"),
        (
            contexts_form(2),
            '{"contexts": [{"number": 1, "useful": true}, {"number": 1, "useful": true}]}',
            "1 to 2",
        ),
    ],
)
def test_what_is_no_verdict_is_never_guessed(form: Form, text: str, problem: str):
    with pytest.raises(InvalidVerdictError) as invalid:
        read(form, text)
    assert problem in str(invalid.value)


@pytest.mark.parametrize(
    "text",
    [
        "{" * 200_000,
        '{"a":' * 50_000,
        "[" * 200_000,
        '{"' * 100_000,
        "<think>" * 40_000,
        '{"score": ' + "9" * 5_000 + "}",
    ],
    ids=["braces", "objects", "lists", "keys", "thoughts", "digits"],
)
@pytest.mark.timeout(20)
def test_a_hostile_answer_costs_bounded_time(text: str):
    with pytest.raises(InvalidVerdictError):
        read(SCORE, text)


def test_average_precision_is_that_of_the_textbook():
    assert average_precision([True, False, True]) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision([False, False]) == 0.0
    assert average_precision([False, True]) == 0.5
