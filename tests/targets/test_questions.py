"""What an item asks where its input is valid JSON that cannot be held as a value."""

from __future__ import annotations

import json

import pytest

from evalrpc_server.domain.documents import Document
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.targets.openai import Conversation
from evalrpc_server.targets.port import TaskError
from evalrpc_server.targets.questions import Question
from evalrpc_server.targets.templates import item_value

HUGE = Document('{"question": 1e999}')


def test_an_input_that_cannot_be_read_is_told_with_the_place_that_needs_it():
    question = Question("", field="dify.query")
    for ask in (lambda: question.of({"input": HUGE}), lambda: item_value(HUGE, "dify.query")):
        with pytest.raises(TaskError, match=r"out of range") as told:
            ask()
        error = told.value.error
        assert (error.reason, error.metadata["field"]) == (
            Reason.TEMPLATE_FAILED,
            "experiment.task.dify.query",
        )


def test_a_list_that_cannot_be_read_is_asked_as_its_text():
    messages = json.loads(Conversation([]).render({"input": Document("[1e999]")}))
    assert messages == [{"role": "user", "content": "[1e999]"}]
