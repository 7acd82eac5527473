"""Running an experiment through the service: from the request to the last event."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import grpc
import pytest
from google.protobuf import json_format

from evalrpc.v1 import dataset_service_pb2, experiment_pb2, experiment_service_pb2, item_pb2, json_pb2
from tests.processes import ROOT
from tests.servers import Stubs
from tests.service.calls import SECONDS, first_event, reason, results, run, spec, start, watch
from tests.standins.endpoints import Endpoints, Exchange, Request


async def _capital(request: Request, exchange: Exchange) -> None:
    question = request.json()["input"]
    text = question if isinstance(question, str) else question["question"]
    await exchange.answer({"output": "It is Paris." if "France" in text else "It is Berlin."})


async def _tone(request: Request, exchange: Exchange) -> None:
    await exchange.answer({"value": len(request.json()["output"]), "comment": "friendly"})


async def _echo(request: Request, exchange: Exchange) -> None:
    body = request.body.decode()
    await exchange.answer(body[len('{"input":') : body.index(',"metadata"')])


async def test_the_contracts_example_runs_as_written(stubs: Stubs, endpoints: Endpoints) -> None:
    endpoints.routes["/task"] = _capital
    endpoints.routes["/evaluate"] = _tone
    text = (ROOT / "proto/requests/RunExperiment.json").read_text()
    request = json_format.Parse(
        text.replace("http://127.0.0.1:9000", endpoints.url("")),
        experiment_service_pb2.RunExperimentRequest(),
    )
    events = [response.event async for response in stubs.experiments.RunExperiment(request, timeout=SECONDS)]

    assert [event.sequence for event in events] == [1, 2, 3, 4, 5, 6]
    assert [event.WhichOneof("kind") for event in events] == [
        "experiment",
        "experiment",
        "item_result",
        "item_result",
        "run_evaluations",
        "experiment",
    ]
    first, last = events[0].experiment, events[-1].experiment
    assert first.id
    assert first.state == experiment_pb2.EXPERIMENT_STATE_PENDING
    assert last.state == experiment_pb2.EXPERIMENT_STATE_SUCCEEDED
    assert last.spec.run_name.startswith("Geography Quiz - 20")
    assert last.spec.run_name.endswith("Z")
    france, germany = results(events)
    assert germany.item.id == "de"
    assert germany.item.metadata.value.struct_value["continent"] == "Europe"
    assert [(one.name, one.evaluator) for one in france.evaluations] == [
        ("accuracy", "builtin/contains@1"),
        ("response_length", "builtin/length@1"),
        ("tone", "tone"),
    ]
    assert [one.WhichOneof("value") for one in france.evaluations] == ["boolean", "number", "number"]
    assert france.evaluations[0].boolean
    assert france.evaluations[2].comment == "friendly"
    assert france.attempts == 1
    assert len(france.trace_id) == 32
    (average,) = last.run_evaluations
    assert (average.name, average.number) == ("avg_accuracy", 1.0)
    assert {summary.name: summary.n for summary in last.summaries} == {
        "accuracy": 2,
        "response_length": 2,
        "tone": 2,
    }

    again = [response.event async for response in stubs.experiments.RunExperiment(request, timeout=SECONDS)]
    assert again == events


async def test_documents_come_back_exactly(stubs: Stubs, endpoints: Endpoints) -> None:
    endpoints.routes["/echo"] = _echo
    texts = [
        '{"big":9007199254740993,"pi":3.141592653589793238462643383279,"e":1e300}',
        '"snow ☃ and \\u00e9 and \\n"',
        "null",
        "[1.0,1,-0.0,0.1]",
        '{"deep":' * 40 + "0" + "}" * 40,
        "  [ 1 ]  ",
    ]
    items = [item_pb2.Item(input=json_pb2.Json(text=text)) for text in texts]
    request = experiment_service_pb2.RunExperimentRequest(json_encoding=json_pb2.JSON_ENCODING_TEXT)
    json_format.ParseDict({"experiment": spec(endpoints.url("/echo"))}, request)
    request.experiment.items.items.extend(items)
    events = [response.event async for response in stubs.experiments.RunExperiment(request, timeout=SECONDS)]
    assert [result.item.input.text for result in results(events)] == texts
    assert [result.output.text.strip() for result in results(events)] == [text.strip() for text in texts]


async def test_a_value_comes_back_as_a_value_where_it_is_exact(stubs: Stubs, endpoints: Endpoints) -> None:
    endpoints.routes["/echo"] = _echo
    whole, large = {"n": 3, "list": [1.5, None, True]}, {"text": '{"n": 9007199254740993}'}
    events = await run(stubs, spec(endpoints.url("/echo"), whole, {"input": large}))
    assert endpoints.requests[0].json()["input"] == whole
    assert '"n":3}' in endpoints.requests[0].body.decode()
    first, second = results(events)
    assert json_format.MessageToDict(first.output.value) == whole
    assert second.output.WhichOneof("kind") == "text"
    assert json.loads(second.output.text) == {"n": 9007199254740993}


async def test_an_upload_of_many_messages_runs_in_order(stubs: Stubs, endpoints: Endpoints) -> None:
    endpoints.routes["/echo"] = _echo

    async def messages() -> AsyncIterator[dataset_service_pb2.UploadItemsRequest]:
        yield dataset_service_pb2.UploadItemsRequest(
            header=dataset_service_pb2.UploadHeader(description="numbers")
        )
        for start_index in range(0, 3000, 700):
            numbers = range(start_index, min(start_index + 700, 3000))
            items = [item_pb2.Item(input=json_pb2.Json(text=str(number))) for number in numbers]
            yield dataset_service_pb2.UploadItemsRequest(items=item_pb2.ItemList(items=items))

    upload = await stubs.datasets.UploadItems(messages(), timeout=SECONDS)
    assert upload.item_count == 3000
    experiment = {
        "name": "uploaded",
        "upload": upload.upload_id,
        "task": {"http": {"url": endpoints.url("/echo")}},
    }
    events = await run(stubs, experiment, json_encoding="JSON_ENCODING_TEXT")
    assert [result.output.text for result in results(events)] == [str(number) for number in range(3000)]
    assert events[-1].progress.total == 3000


async def test_results_are_listed_in_pages_in_either_order(stubs: Stubs, endpoints: Endpoints) -> None:
    endpoints.routes["/echo"] = _echo
    events = await run(stubs, spec(endpoints.url("/echo"), *range(25)))
    completion = [event.item_result.item.index for event in events if event.HasField("item_result")]
    for order, expected in (("ITEM", list(range(25))), ("COMPLETION", completion)):
        indexes, token = [], ""
        while True:
            page = await stubs.experiments.ListItemResults(
                experiment_service_pb2.ListItemResultsRequest(
                    id=events[0].experiment.id,
                    order=experiment_service_pb2.ItemResultOrder.Value(f"ITEM_RESULT_ORDER_{order}"),
                    page_size=10,
                    page_token=token,
                )
            )
            indexes += [result.item.index for result in page.item_results]
            token = page.next_page_token
            if not token:
                break
        assert indexes == expected


async def test_a_page_token_is_good_for_the_same_list_only(stubs: Stubs, endpoints: Endpoints) -> None:
    endpoints.routes["/echo"] = _echo
    for _ in range(2):
        await run(stubs, spec(endpoints.url("/echo"), 1))
    page = await stubs.experiments.ListExperiments(experiment_service_pb2.ListExperimentsRequest(page_size=1))
    assert page.next_page_token
    for request in (
        experiment_service_pb2.ListExperimentsRequest(page_token=page.next_page_token, name="other"),
        experiment_service_pb2.ListExperimentsRequest(page_token="nonsense"),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stubs.experiments.ListExperiments(request)
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert reason(refused.value) == "INVALID_PAGE_TOKEN"


async def test_losing_the_stream_does_not_end_the_run(stubs: Stubs, endpoints: Endpoints) -> None:
    release = asyncio.Event()

    async def wait(request: Request, exchange: Exchange) -> None:
        await release.wait()
        await exchange.answer({"output": request.json()["input"]})

    endpoints.routes["/wait"] = wait
    request = experiment_service_pb2.RunExperimentRequest()
    json_format.ParseDict({"experiment": spec(endpoints.url("/wait"), *range(5))}, request)
    call = stubs.experiments.RunExperiment(request, timeout=SECONDS)
    first = await first_event(call)
    call.cancel()
    release.set()
    events = await watch(stubs, first.experiment.id, after=first.sequence)
    assert [event.sequence for event in events] == list(range(2, len(events) + 2))
    assert len(results(events)) == 5


async def test_a_caller_can_ask_that_its_leaving_cancels_the_run(stubs: Stubs, endpoints: Endpoints) -> None:
    endpoints.routes["/never"] = _never
    request = experiment_service_pb2.RunExperimentRequest(cancel_on_disconnect=True)
    json_format.ParseDict({"experiment": spec(endpoints.url("/never"), 1)}, request)
    call = stubs.experiments.RunExperiment(request, timeout=SECONDS)
    first = await first_event(call)
    call.cancel()
    events = await watch(stubs, first.experiment.id)
    assert events[-1].experiment.state == experiment_pb2.EXPERIMENT_STATE_CANCELLED


async def test_cancelling_twice_is_the_same_as_once(stubs: Stubs, endpoints: Endpoints) -> None:
    endpoints.routes["/never"] = _never
    experiment_id = await start(stubs, spec(endpoints.url("/never"), *range(4), max_concurrency=2))
    request = experiment_service_pb2.CancelExperimentRequest(id=experiment_id)
    await asyncio.gather(*(stubs.experiments.CancelExperiment(request) for _ in range(3)))
    events = await watch(stubs, experiment_id)
    states = [event.experiment.state for event in events if event.HasField("experiment")]
    assert states[-1] == experiment_pb2.EXPERIMENT_STATE_CANCELLED
    assert len(states) == len(set(states))
    assert {result.error.reason for result in results(events)} <= {"CANCELLED"}


async def _sent_back(request: Request, exchange: Exchange) -> None:
    await exchange.answer({"output": request.json()["input"]})


async def _never(_: Request, exchange: Exchange) -> None:
    await exchange.until_closed()


async def test_a_document_that_grows_too_large_as_a_value_comes_back_as_text(
    stubs: Stubs, endpoints: Endpoints
) -> None:
    endpoints.routes["/echo"] = _sent_back
    document = json.dumps([1] * 300_000, separators=(",", ":"))
    (result,) = results(await run(stubs, spec(endpoints.url("/echo"), {"input": {"text": document}})))
    assert result.item.input.text == document
    assert json.loads(result.output.text) == json.loads(document)


async def test_an_event_never_outgrows_a_message(stubs: Stubs, endpoints: Endpoints) -> None:
    endpoints.routes["/echo"] = _sent_back
    document = {"text": json.dumps("x" * 1_045_000)}
    item = {"input": document, "expected_output": document, "metadata": document}
    experiment = spec(endpoints.url("/echo"), item)
    (result,) = results(await run(stubs, experiment, json_encoding="JSON_ENCODING_TEXT"))
    assert result.output.text == result.item.input.text == document["text"]
    assert not result.item.HasField("metadata")
