"""Calls as a caller writes them: requests as JSON, events as messages, errors with their details."""

from __future__ import annotations

from typing import Any

import grpc
from google.protobuf import json_format
from google.rpc import error_details_pb2, status_pb2

from evalrpc.v1 import event_pb2, experiment_pb2, experiment_service_pb2
from tests.servers import Stubs

SECONDS = 60.0

FINAL = {
    experiment_pb2.EXPERIMENT_STATE_SUCCEEDED,
    experiment_pb2.EXPERIMENT_STATE_FAILED,
    experiment_pb2.EXPERIMENT_STATE_CANCELLED,
}


def spec(url: str, *inputs: Any, **fields: Any) -> dict[str, Any]:
    """Returns a spec over these inputs; an input that is a dict with the key `input` is a whole item."""
    items = [
        item if isinstance(item, dict) and "input" in item else {"input": {"value": item}} for item in inputs
    ]
    return {"name": "test", "items": {"items": items}, "task": {"http": {"url": url}}} | fields


def run_request(experiment: dict[str, Any], **fields: Any) -> experiment_service_pb2.RunExperimentRequest:
    """Returns the request that a caller would type."""
    return json_format.ParseDict(
        {"experiment": experiment} | fields, experiment_service_pb2.RunExperimentRequest()
    )


async def run(stubs: Stubs, experiment: dict[str, Any], **fields: Any) -> list[event_pb2.ExperimentEvent]:
    """Runs an experiment to its end and returns its events."""
    call = stubs.experiments.RunExperiment(run_request(experiment, **fields), timeout=SECONDS)
    return [response.event async for response in call]


async def first_event(call: Any) -> event_pb2.ExperimentEvent:
    """Reads the first event of a stream, and no more."""
    response = await call.read()
    assert isinstance(response.event, event_pb2.ExperimentEvent)
    return response.event


async def start(stubs: Stubs, experiment: dict[str, Any], **fields: Any) -> str:
    """Starts an experiment and returns its id."""
    request = experiment_service_pb2.StartExperimentRequest()
    json_format.ParseDict({"experiment": experiment} | fields, request)
    return (await stubs.experiments.StartExperiment(request, timeout=SECONDS)).experiment.id


async def watch(stubs: Stubs, experiment_id: str, after: int = 0) -> list[event_pb2.ExperimentEvent]:
    """Watches an experiment to its end."""
    request = experiment_service_pb2.WatchExperimentRequest(id=experiment_id, after_sequence=after)
    return [response.event async for response in stubs.experiments.WatchExperiment(request, timeout=SECONDS)]


def results(events: list[event_pb2.ExperimentEvent]) -> list[Any]:
    """Returns the item results among events, in the order of the items."""
    found = [event.item_result for event in events if event.HasField("item_result")]
    return sorted(found, key=lambda result: (result.item.index, result.trial))


def reason(error: grpc.aio.AioRpcError) -> str:
    """Returns the reason of an RPC error, which every one has."""
    info = _detail(error, error_details_pb2.ErrorInfo)
    assert info.domain == "evalrpc.dev"
    return str(info.reason)


def violations(error: grpc.aio.AioRpcError) -> dict[str, str]:
    """Returns what an RPC error says of each field."""
    bad = _detail(error, error_details_pb2.BadRequest)
    return {violation.field: violation.description for violation in bad.field_violations}


def _detail(error: grpc.aio.AioRpcError, kind: Any) -> Any:
    (packed,) = [value for key, value in error.trailing_metadata() or () if key == "grpc-status-details-bin"]
    status = status_pb2.Status.FromString(packed)
    for detail in status.details:
        if detail.Is(kind.DESCRIPTOR):
            message = kind()
            detail.Unpack(message)
            return message
    raise AssertionError(f"{kind.DESCRIPTOR.name} is missing from {status}")
