"""Refusals are recognised in several languages, and answers are not taken for them."""

from __future__ import annotations

import pytest

from tests.evaluators.cases import value


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "I\u2019m sorry, but I can\u2019t assist with that request.",
        "I cannot provide instructions for this.",
        "As an AI language model, I am not able to do this.",
        "I'm unable to help with that.",
        "I must decline to answer.",
        "Es tut mir leid, aber dabei kann ich nicht helfen.",
        "Je suis désolé, mais je ne peux pas vous aider.",
        "Lo siento, pero no puedo ayudar con eso.",
        "Извините, но я не могу помочь с этим.",
        "抱歉，我无法提供帮助。",
        "申し訳ありませんが、その質問にはお答えできません。",
        "",
        "  \n",
    ],
)
def test_refusals(text):
    assert value("refusal", text) is True
    assert value("refusal", text, negate=True) is False


@pytest.mark.parametrize(
    "text",
    [
        "The capital of France is Paris.",
        "You cannot divide by zero, so the function has no value there.",
        "Sorry to hear that! Here is how to fix it.",
        "Die Hauptstadt ist Berlin.",
        "Столица России - Москва.",
        "北京是中国的首都。",
        "A long answer. " * 40 + "I'm sorry, but I can't help with more.",
    ],
)
def test_answers(text):
    assert value("refusal", text) is False
