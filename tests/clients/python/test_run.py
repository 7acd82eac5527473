"""Runs through a real server, with both clients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from evalrpc import (
    AlreadyExistsError,
    EvalrpcError,
    ExperimentState,
    GrpcTask,
    HttpTask,
    InvalidRequestError,
    NotFoundError,
    RawJson,
    ServerUnreachableError,
    Upload,
    builtin,
    http_evaluator,
)
from tests.clients.python.application import BOOM, Application
from tests.clients.python.conftest import Connect

CAPITALS = [
    {"id": "fr", "input": "Paris", "expected_output": "Paris", "metadata": {"continent": "Europe"}},
    {"id": "none", "input": BOOM, "expected_output": "Atlantis"},
    {"id": "de", "input": "Bonn", "expected_output": "Berlin"},
]


def quiz(app: Application, **fields: Any) -> dict[str, Any]:
    """Returns the arguments of a run."""
    return {
        "name": "Quiz",
        "data": CAPITALS,
        "task": app.task,
        "evaluators": [
            http_evaluator(app.evaluate, name="right"),
            builtin("contains", name="accuracy", ignore_case=True),
        ],
        "run_evaluators": [builtin("mean", name="avg_accuracy", evaluation="accuracy")],
        **fields,
    }


def test_a_run_tells_each_event_once_and_in_order(client: Any, app: Application) -> None:
    run = client.run(**quiz(app, run_name="first", description="a test", metadata={"model": "m", "n": 3}))
    events = list(run)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert [event.kind for event in events].count("item_result") == 3
    assert events[0].experiment.state is ExperimentState.PENDING
    assert events[-1].experiment.state is ExperimentState.SUCCEEDED
    assert events[-1].progress.completed == 3
    assert events[-1].progress.failed == 1
    assert run.experiment_id == events[0].experiment.id
    assert run.last_sequence == events[-1].sequence
    assert run.experiment == events[-1].experiment
    assert (run.experiment.run_name, run.experiment.metadata) == ("first", {"model": "m", "n": 3})
    assert list(run) == []  # all of it was seen


def test_the_result_holds_every_item_in_the_order_of_the_data(client: Any, app: Application) -> None:
    result = client.run(**quiz(app)).result()
    assert [each.item.id for each in result.item_results] == ["fr", "none", "de"]
    paris, boom, bonn = result.item_results
    assert (paris.output, paris.item.expected_output, paris.item.metadata) == (
        "Paris", "Paris", {"continent": "Europe"},
    )  # fmt: skip
    assert [(each.name, each.value) for each in paris.evaluations] == [("right", True), ("accuracy", True)]
    assert [(each.name, each.value) for each in bonn.evaluations] == [("right", False), ("accuracy", False)]
    assert boom.error.reason == "TASK_HTTP_STATUS"
    assert boom.error.metadata["status"] == "404"
    assert (boom.output, boom.evaluations) == (None, ())
    assert result.failed_items == (boom,)
    assert [(each.name, each.value) for each in result.run_evaluations] == [("avg_accuracy", 0.5)]
    assert (result.name, result.state, result.error) == ("Quiz", ExperimentState.SUCCEEDED, None)
    assert result.run_name.startswith("Quiz - ")
    assert result.experiment.summaries[0].n == 2
    assert paris.attempts == 1
    assert 0 < paris.task_duration < 60


def test_a_result_that_was_not_kept_is_read_from_the_server(client: Any, app: Application) -> None:
    run = client.run(**quiz(app), collect=False)
    seen = [event.item_result for event in run if event.item_result]
    result = run.result()
    assert sorted(seen, key=lambda each: each.item.index) == list(result.item_results)
    assert client.result(result.experiment_id) == result


def test_iteration_goes_on_where_it_was_left(client: Any, app: Application) -> None:
    run = client.run(**quiz(app))
    first = next(iter(run))
    rest = list(run)
    assert [first.sequence, *(event.sequence for event in rest)] == list(range(1, run.last_sequence + 1))
    assert len(run.result().item_results) == 3


def test_a_closed_run_can_be_taken_up_again(client: Any, app: Application) -> None:
    with client.run(**quiz(app)) as run:
        first = next(iter(run))
    rest = list(run)
    assert [first.sequence, *(event.sequence for event in rest)] == list(range(1, run.last_sequence + 1))


def test_watching_starts_behind_any_event(client: Any, app: Application) -> None:
    everything = list(client.run(**quiz(app)))
    experiment_id = everything[0].experiment.id
    assert list(client.watch(experiment_id)) == everything
    later = client.watch(experiment_id, after_sequence=3)
    assert list(later) == everything[3:]
    assert len(later.result().item_results) == 3


DOCUMENTS = [
    9007199254740993, -(2**63) - 1, 10**40, 3, 3.0, 0.1, 1e300, True, "", "Zürich 😀", "null", [], {},
    {"a": [1, None, {"b": "\u2028"}]}, None,
]  # fmt: skip


def test_documents_come_back_exactly_as_they_went(client: Any, app: Application) -> None:
    data = [
        {"input": "x", "expected_output": document, "metadata": {"m": document}} for document in DOCUMENTS
    ]
    result = client.run(name="exact", data=data, task=app.task).result()
    for document, each in zip(DOCUMENTS, result.item_results, strict=True):
        assert repr(each.item.expected_output) == repr(document)
        assert repr(each.item.metadata) == repr({"m": document})
    result = client.run(name="exact", data=[{"input": each} for each in DOCUMENTS], task=app.task).result()
    for document, each in zip(DOCUMENTS, result.item_results, strict=True):
        assert repr(each.item.input) == repr(document)
        assert repr(each.output) == repr(document)


def test_null_and_nothing_are_told_apart(client: Any, app: Application) -> None:
    data = [
        {"input": None},
        {"input": 1, "expected_output": None},
        {"input": 2, "expected_output": RawJson("null")},
    ]
    result = client.run(name="nulls", data=data, task=app.task).result()
    assert [each.output_json for each in result.item_results] == ["null", "1", "2"]
    assert [each.item.expected_output_json for each in result.item_results] == [None, None, "null"]


def test_raw_json_keeps_its_bytes(client: Any, app: Application) -> None:
    text = '{"price": 1.10, "big": 12345678901234567890.000}'
    result = client.run(name="raw", data=[{"input": RawJson(text)}], task=app.task).result()
    assert result.item_results[0].item.input_json == text


def test_an_iterator_is_data(client: Any, app: Application) -> None:
    result = client.run(name="iterator", data=({"input": i} for i in range(5)), task=app.task).result()
    assert [each.output for each in result.item_results] == [0, 1, 2, 3, 4]


def test_data_too_large_for_a_request_is_uploaded(client: Any, app: Application) -> None:
    data = [{"input": f"{index}-{'x' * 500_000}"} for index in range(12)]
    result = client.run(name="large", data=data, task=app.task).result()
    assert result.experiment.spec["upload"]
    assert [each.output[:3].rstrip("-x") for each in result.item_results] == [str(i) for i in range(12)]


def test_documents_of_one_mebibyte_travel(client: Any, app: Application) -> None:
    document = "x" * (1024 * 1024 - 2)
    items = [{"input": document, "expected_output": document, "metadata": {"m": document[:-8]}}] * 2
    result = client.run(name="largest", data=items, task=app.task).result()
    assert [each.output == document for each in result.item_results] == [True, True]
    listed = list(client.list_results(result.experiment_id))
    assert [each.item.expected_output == document for each in listed] == [True, True]


def test_an_upload_serves_many_experiments(client: Any, app: Application) -> None:
    upload = client.upload(CAPITALS, description="capitals")
    assert upload == Upload(upload.id, 3)
    for data in (upload, upload.id):
        assert len(client.run(**quiz(app, data=data)).result().item_results) == 3


def test_an_upload_whose_source_fails_leaves_nothing_and_tells_the_cause(
    client: Any, app: Application
) -> None:
    def broken() -> Iterator[dict[str, Any]]:
        yield {"input": "x" * 1_000_000}
        yield {"input": "x" * 1_000_000}
        raise ZeroDivisionError("the database went away")

    with pytest.raises(ZeroDivisionError, match="went away"):
        client.upload(broken())
    assert client.upload([{"input": 1}]).item_count == 1


def test_an_upload_that_the_server_refuses_names_the_item(client: Any) -> None:
    twice = ({"id": "same", "input": index} for index in range(2))
    with pytest.raises(InvalidRequestError) as caught:
        client.upload(twice)
    assert "items.items[1].id" in {each.path for each in caught.value.violations}


def test_an_endless_upload_ends_when_the_server_refuses(client: Any) -> None:
    def endless() -> Iterator[dict[str, Any]]:
        while True:
            yield {"id": "same", "input": "x" * 1000}

    with pytest.raises(InvalidRequestError):
        client.upload(endless())


def test_data_that_were_read_once_are_not_read_again(connect: Connect, app: Application) -> None:
    lists, iterators = [{"input": "x" * 1_000_000}] * 3, ({"input": "x" * 1_000_000} for _ in range(3))
    client = connect("127.0.0.1:1")
    for data, second in ((lists, ServerUnreachableError), (iterators, EvalrpcError)):
        run = client.run(name="unsent", data=data, task=app.task)
        with pytest.raises(ServerUnreachableError):
            list(run)
        with pytest.raises(second) as caught:
            list(run)
        assert type(caught.value) is second


def test_start_returns_at_once_and_a_repeat_joins(client: Any, app: Application) -> None:
    fields = quiz(app, task=app.gated)
    first = client.start(**fields, request_id=f"joined-{app.origin}")
    assert not first.state.ended
    assert client.start(**fields, request_id=f"joined-{app.origin}").id == first.id
    assert client.start(**fields).id != first.id
    with pytest.raises(AlreadyExistsError) as caught:
        client.start(**{**fields, "name": "Other"}, request_id=f"joined-{app.origin}")
    assert caught.value.reason == "REQUEST_ID_REUSED"
    assert caught.value.metadata["experiment_id"] == first.id
    app.gate.set()


def test_cancelling_ends_a_run(client: Any, app: Application) -> None:
    run = client.run(**quiz(app, task=app.gated))
    events = iter(run)
    next(events)
    client.cancel(run.experiment_id)
    assert run.result().state is ExperimentState.CANCELLED
    assert {each.error.reason for each in run.result().item_results} <= {"CANCELLED", "TASK_HTTP_STATUS"}
    assert client.cancel(run.experiment_id).state is ExperimentState.CANCELLED


def test_a_run_may_end_with_its_stream(client: Any, app: Application) -> None:
    with client.run(**quiz(app, task=app.gated), cancel_on_disconnect=True) as run:
        next(iter(run))
    assert client.watch(run.experiment_id).result().state is ExperimentState.CANCELLED


def test_listing_reads_all_pages(client: Any, app: Application) -> None:
    started = [client.run(**quiz(app, name=f"paged {app.origin}")).result().experiment_id for _ in range(3)]
    found = client.list(name=f"paged {app.origin}", states=["SUCCEEDED"], page_size=1)
    assert [each.id for each in found] == started[::-1]
    assert list(client.list(name=f"paged {app.origin}", states=[ExperimentState.FAILED])) == []
    with pytest.raises(ValueError, match="DONE"):
        list(client.list(states=["DONE"]))


def test_results_are_listed_in_either_order(client: Any, app: Application) -> None:
    experiment_id = client.run(**quiz(app)).result().experiment_id
    indexes = [each.item.index for each in client.list_results(experiment_id, page_size=1)]
    assert indexes == [0, 1, 2]
    assert {each.item.index for each in client.list_results(experiment_id, order="completion")} == {0, 1, 2}
    assert [each.item.id for each in client.list_results(experiment_id, failed_only=True)] == ["none"]


def test_repetitions_and_a_dry_run(client: Any, app: Application) -> None:
    result = client.run(**quiz(app), repetitions=2, dry_run_items=1).result()
    assert [(each.item.id, each.trial) for each in result.item_results] == [("fr", 1), ("fr", 2)]


def test_evaluators_are_registered_in_versions(client: Any, app: Application) -> None:
    name = f"accuracy-{app.origin.rpartition(':')[2]}"
    first = client.register_evaluator(builtin("contains", name=name), description="is it in there?")
    assert (first.name, first.version, str(first)) == (name, 1, f"{name}@1")
    assert (
        client.register_evaluator(builtin("contains", name=name), description="is it in there?").version == 1
    )
    second = client.register_evaluator(builtin("contains", ignore_case=True), name=name)
    assert second.version == 2
    assert client.get_evaluator(name) == second
    assert client.get_evaluator(f"{name}@1").spec == first.spec
    assert {each.version for each in client.list_evaluators(name=name, page_size=1)} == {2, 1}
    assert name in {each.name for each in client.list_evaluators()}
    client.delete_evaluator(name)
    with pytest.raises(NotFoundError):
        client.get_evaluator(name)


def test_builtin_evaluators_tell_their_parameters(client: Any) -> None:
    found = {each.name: each for each in client.list_builtin_evaluators()}
    assert found["contains"].level == "item"
    assert "ignore_case" in found["contains"].params_schema["properties"]
    assert {each.level for each in client.list_builtin_evaluators(level="run")} == {"run"}


def test_all_that_is_wrong_is_told_at_once(client: Any) -> None:
    run = client.run(
        name="",
        data=[{"id": "a", "input": 1}, {"id": "a", "input": 2}],
        task=HttpTask(url="ftp://x"),
    )
    with pytest.raises(InvalidRequestError) as caught:
        list(run)
    error = caught.value
    assert (error.code, error.reason) == ("INVALID_ARGUMENT", "INVALID_FIELD")
    assert error.request_id
    paths = {each.path for each in error.violations}
    assert {"experiment.name", "experiment.task.http.url", "experiment.items.items[1].id"} <= paths
    with pytest.raises(InvalidRequestError) as caught:
        client.start(
            name="wrong",
            data=[{"input": 1}],
            task="http://x",
            evaluators=[builtin("contains", no_such_param=1)],
        )
    assert [each.path for each in caught.value.violations] == [
        "experiment.evaluators[0].builtin.params.no_such_param"
    ]


def test_what_does_not_exist_is_not_found(client: Any) -> None:
    for call in (client.get, client.cancel, client.result, lambda name: list(client.watch(name))):
        with pytest.raises(NotFoundError) as caught:
            call("exp_none")
        assert caught.value.reason == "EXPERIMENT_NOT_FOUND"
        assert caught.value.metadata == {"experiment_id": "exp_none"}


def test_a_grpc_task_that_nobody_serves_fails_its_item(client: Any) -> None:
    result = client.run(
        name="grpc", data=[{"input": 1}], task=GrpcTask(target="127.0.0.1:1"), retry=1
    ).result()
    assert [each.error.reason for each in result.item_results] == ["TASK_UNREACHABLE"]
