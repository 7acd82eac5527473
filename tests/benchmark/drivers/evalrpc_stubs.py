"""evalrpc called through the generated stubs alone: what the server gives, without a client library on top."""

from __future__ import annotations

import json

import grpc
import uvloop
from google.protobuf import json_format

from evalrpc.v1 import (
    dataset_service_pb2,
    dataset_service_pb2_grpc,
    event_pb2,
    experiment_pb2,
    experiment_service_pb2,
    experiment_service_pb2_grpc,
    experiment_spec_pb2,
    item_pb2,
    json_pb2,
)
from tests.benchmark.drivers.job import Item, Job, Outcome

INLINE_ITEMS = 5_000
UPLOAD_ITEMS = 2_000


def specification(job: Job) -> dict[str, object]:
    """The experiment without its data, in the proto's JSON form."""
    return {
        "name": "benchmark",
        "task": {"http": {"url": job.task_url}},
        "evaluators": [
            {"name": "exact_match", "builtin": {"name": "exact_match"}},
            {"name": "length", "builtin": {"name": "length"}},
        ],
        "runEvaluators": [
            {"name": "mean_exact_match", "builtin": {"name": "mean", "params": {"evaluation": "exact_match"}}}
        ],
        "maxConcurrency": job.concurrency,
    }


def message(item: Item) -> item_pb2.Item:
    """One item of the request."""
    return item_pb2.Item(
        id=item["id"],
        input=json_pb2.Json(text=json.dumps(item["input"])),
        expected_output=json_pb2.Json(text=json.dumps(item["expected_output"])),
    )


async def request(
    job: Job, items: list[item_pb2.Item], channel: grpc.aio.Channel
) -> experiment_service_pb2.RunExperimentRequest:
    """The request, with its items inline or, when they are many, uploaded before."""
    spec = json_format.ParseDict(specification(job), experiment_spec_pb2.ExperimentSpec())
    if job.dataset:
        spec.langfuse_dataset.name = job.dataset
    elif len(items) <= INLINE_ITEMS:
        spec.items.items.extend(items)
    else:
        upload = dataset_service_pb2_grpc.DatasetServiceStub(channel).UploadItems()
        for start in range(0, len(items), UPLOAD_ITEMS):
            part = item_pb2.ItemList(items=items[start : start + UPLOAD_ITEMS])
            await upload.write(dataset_service_pb2.UploadItemsRequest(items=part))
        await upload.done_writing()
        spec.upload = (await upload).upload_id
    return experiment_service_pb2.RunExperimentRequest(
        experiment=spec, json_encoding=json_pb2.JSON_ENCODING_TEXT
    )


def take(event: event_pb2.ExperimentEvent, outcome: Outcome) -> None:
    """Notes what an event tells."""
    match event.WhichOneof("kind"):
        case "item_result":
            outcome.first_result()
            if event.item_result.HasField("error"):
                outcome.notes.append(event.item_result.error.reason)
            else:
                outcome.results += 1
        case "run_evaluations":
            outcome.mean = event.run_evaluations.evaluations[0].number
        case "experiment" if event.experiment.state == experiment_pb2.EXPERIMENT_STATE_FAILED:
            outcome.notes.append(event.experiment.error.message)


async def run(job: Job) -> Outcome:
    """Runs the job, from the request to the end of the stream."""
    outcome = Outcome()
    items = [message(item) for item in job.items()]
    outcome.start()
    async with grpc.aio.insecure_channel(job.server) as channel:
        stub = experiment_service_pb2_grpc.ExperimentServiceStub(channel)
        async for response in stub.RunExperiment(await request(job, items, channel)):
            take(response.event, outcome)
        outcome.end()
    return outcome


if __name__ == "__main__":
    uvloop.run(run(Job.read())).report()
