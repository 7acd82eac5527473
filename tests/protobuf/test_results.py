from __future__ import annotations

from datetime import UTC, datetime

import pytest

from evalrpc.v1 import error_pb2, evaluation_pb2, json_pb2
from evalrpc_server.domain.documents import Document
from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.events import Checkpoint, Event, RunEvaluations
from evalrpc_server.domain.experiments import Progress
from evalrpc_server.domain.items import Item
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.results import Context, ItemResult, TaskOutcome
from evalrpc_server.domain.usage import Usage
from evalrpc_server.protobuf.documents import Encoding
from evalrpc_server.protobuf.evaluations import (
    InvalidEvaluationError,
    evaluation_from_message,
    evaluation_to_message,
)
from evalrpc_server.protobuf.experiments import event_to_message
from evalrpc_server.protobuf.results import result_to_message

LATE = Error(reason=Reason.TASK_TIMEOUT, message="late", metadata={"timeout_seconds": "1"}, retryable=True)
BEGAN = datetime(2026, 11, 22, 12, 0, 0, 250_000, tzinfo=UTC)


def test_a_good_result_is_written_whole():
    result = ItemResult(
        item=Item(
            index=3,
            id="de",
            input=Document('{"q": 1.0}'),
            expected_output=Document('"Berlin"'),
            metadata=Document('{"k": 3}'),
            dataset_item_id="d1",
        ),
        trial=2,
        outcome=TaskOutcome(
            output=Document("null"),
            contexts=(Context(text="t", id="1", source="s", score=0.0), Context(text="u")),
            usage=Usage(input_tokens=0, cost_usd=0.5),
            metadata=Document('{"model": "m"}'),
            start_time=BEGAN,
            task_duration=1.25,
            attempts=2,
        ),
        evaluations=(Evaluation(name="a", evaluator="a@1", value=True),),
        evaluation_duration=0.5,
        trace_id="1" * 32,
        trace_url="https://langfuse.example/trace/1",
    )
    message = result_to_message(result, Encoding.TEXT)
    assert (message.item.id, message.item.index, message.item.dataset_item_id) == ("de", 3, "d1")
    assert (message.item.input.text, message.item.expected_output.text) == ('{"q": 1.0}', '"Berlin"')
    assert (message.item.metadata.text, message.output.text) == ('{"k": 3}', "null")
    assert message.output_metadata.text == '{"model": "m"}'
    assert [context.HasField("score") for context in message.contexts] == [True, False]
    assert message.usage.HasField("input_tokens")
    assert not message.usage.HasField("output_tokens")
    assert message.start_time.ToDatetime(UTC) == BEGAN
    assert message.task_duration.ToTimedelta().total_seconds() == 1.25
    assert message.evaluation_duration.ToTimedelta().total_seconds() == 0.5
    assert (message.trial, message.attempts, message.trace_id) == (2, 2, "1" * 32)
    assert message.evaluations[0].boolean is True
    assert not message.HasField("error")


def test_a_failed_result_has_an_error_and_no_output():
    result = ItemResult(
        item=Item(index=0, id="a", input=Document("1")),
        trial=1,
        outcome=TaskOutcome(error=LATE, start_time=BEGAN, task_duration=0.75, attempts=1),
    )
    message = result_to_message(result, Encoding.VALUE)
    assert not message.HasField("output")
    assert not message.HasField("usage")
    assert message.task_duration.ToTimedelta().total_seconds() == 0.75
    assert not message.HasField("evaluation_duration")
    assert message.start_time.ToDatetime(UTC) == BEGAN
    assert not message.item.HasField("expected_output")
    assert message.item.input.value.number_value == 1
    assert message.error == error_pb2.Error(
        reason="TASK_TIMEOUT", message="late", metadata={"timeout_seconds": "1"}, retryable=True
    )


def test_a_result_whose_task_was_never_called_began_never():
    outcome = TaskOutcome(error=LATE, start_time=BEGAN, task_duration=0.0, attempts=0)
    result = ItemResult(item=Item(index=0, id="a", input=Document("1")), trial=1, outcome=outcome)
    message = result_to_message(result, Encoding.TEXT)
    assert not message.HasField("start_time")
    assert not message.HasField("task_duration")


@pytest.mark.parametrize(
    "evaluation",
    [
        Evaluation(name="n", value=0.0, comment="c", metadata=Document('{"k": 1}'), config_id="cfg"),
        Evaluation(name="b", value=False),
        Evaluation(name="l", value=""),
        Evaluation(name="u", unscored="nothing to say"),
        Evaluation(name="e", error=Error(reason=Reason.EVALUATOR_FAILED, message="m", metadata={"a": "b"})),
    ],
)
def test_every_kind_of_evaluation_survives_both_ways(evaluation):
    message = evaluation_to_message(evaluation, Encoding.TEXT)
    wire = evaluation_pb2.Evaluation.FromString(message.SerializeToString())
    assert evaluation_from_message(wire) == evaluation


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (evaluation_pb2.Evaluation(number=float("nan")), "number"),
        (evaluation_pb2.Evaluation(number=float("-inf")), "number"),
        (evaluation_pb2.Evaluation(number=1, metadata=json_pb2.Json(text="{")), "metadata"),
        (evaluation_pb2.Evaluation(number=1, metadata=json_pb2.Json(text="[1]")), "metadata"),
    ],
)
def test_what_is_no_evaluation_is_refused_by_field(message, field):
    with pytest.raises(InvalidEvaluationError) as raised:
        evaluation_from_message(message)
    assert raised.value.field == field


def test_events_carry_their_body_and_the_progress():
    progress = Progress(total=None, completed=2, failed=1, retried=3, in_flight=4)
    evaluations = RunEvaluations((Evaluation(name="mean", value=0.5),))
    event = Event(sequence=7, time=BEGAN, progress=progress, body=evaluations)
    message = event_to_message(event, Encoding.VALUE)
    assert message.sequence == 7
    assert message.time.ToDatetime(UTC) == BEGAN
    assert not message.progress.HasField("total")
    assert (message.progress.completed, message.progress.failed, message.progress.retried) == (2, 1, 3)
    assert message.run_evaluations.evaluations[0].number == 0.5
    checkpoint = Event(sequence=7, time=BEGAN, progress=Progress(total=0), body=Checkpoint(draining=True))
    message = event_to_message(checkpoint, Encoding.VALUE)
    assert message.checkpoint.draining
    assert message.progress.HasField("total")
