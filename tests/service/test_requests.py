"""The request files, run as they stand by a client that knows nothing but what the server's reflection tells."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any

import grpc
import pytest
from google.protobuf import json_format
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from tests.contract.test_requests import REQUESTS, documents, methods
from tests.processes import running
from tests.servers import Server, serving
from tests.service.calls import SECONDS
from tests.standins.grpc_endpoints import GrpcEndpoints
from tests.standins.langfuse.remote import launched

USERS = {"RunTask", "EvaluateItem", "EvaluateRun"}
"""What users implement."""

ENDS_OTHERS = {"DeleteEvaluator", "CancelExperiment"}
"""What goes last, for the others to find what they speak of."""

NAMES = sorted(
    (method.name for method in methods() if method.name not in USERS),
    key=lambda name: (name in ENDS_OTHERS, name),
)
DATASET = "geography/capitals"
ITEM = {
    "id": "fr",
    "input": "Capital of France?",
    "expectedOutput": "Paris",
    "metadata": {"continent": "Europe"},
}


class Reflected:
    """A client that is made of a server's answers about itself."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._channel = channel
        self._database = ProtoReflectionDescriptorDatabase(channel)
        self._pool = DescriptorPool(self._database)

    def methods(self) -> dict[str, MethodDescriptor]:
        """Returns the methods of all services of the contract, by name."""
        services = [name for name in self._database.get_services() if name.startswith("evalrpc.")]
        found = (self._pool.FindServiceByName(name).methods for name in services)
        return {method.name: method for each in found for method in each}

    def open(self, name: str, requests: Iterable[str]) -> Any:
        """Calls a method with requests in JSON, which may still be to come; returns gRPC's call."""
        method = self.methods()[name]
        stub: Any = self._channel.stream_stream(
            f"/{method.containing_service.full_name}/{name}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=GetMessageClass(method.output_type).FromString,
        )
        request = GetMessageClass(method.input_type)
        parsed = (json_format.Parse(text, request(), descriptor_pool=self._pool) for text in requests)
        return stub(parsed, timeout=SECONDS)

    def call(self, name: str, *requests: str) -> list[dict[str, Any]]:
        """Calls a method with requests in JSON; returns all answers."""
        return [self.as_dict(answer) for answer in self.open(name, requests)]

    def as_dict(self, answer: Message) -> dict[str, Any]:
        """Returns an answer as a reader of JSON sees it."""
        return json_format.MessageToDict(answer, descriptor_pool=self._pool, preserving_proto_field_name=True)


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """Where a task and an evaluator listen."""
    with running([sys.executable, "-m", "tests.standins.endpoints"]) as program:
        yield f"http://127.0.0.1:{json.loads(program.wait_for(r'^{.*}$')[0])['port']}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a Langfuse project."""
    with launched("--mode", "dual") as langfuse:
        langfuse.load(DATASET, [ITEM])
        with serving(tmp_path_factory.mktemp("data"), env=langfuse.environment) as made:
            yield made


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[Reflected]:
    with grpc.insecure_channel(server.grpc) as channel:
        yield Reflected(channel)


@pytest.fixture(scope="module")
def placeholders(client: Reflected, origin: str) -> dict[str, str]:
    """What exists before the requests are made: experiments that have ended, one of them with failed items, and an evaluator."""
    known = {"http://127.0.0.1:9000": origin}
    client.call("RegisterEvaluator", *written("RegisterEvaluator", known))
    (request,) = written("RunExperiment", known)
    for placeholder in ("{{experiment_id}}", "{{other_experiment_id}}"):
        renamed = json.dumps(json.loads(request) | {"request_id": placeholder})
        events = [answer["event"] for answer in client.call("RunExperiment", renamed)]
        assert events[-1]["experiment"]["state"] == "EXPERIMENT_STATE_SUCCEEDED"
        known[placeholder] = events[0]["experiment"]["id"]
    fails = json.loads(request) | {"request_id": "fails"}
    fails["experiment"]["task"]["http"]["url"] = f"{origin}/nothing-is-here"
    (first, *_) = client.call("RunExperiment", json.dumps(fails))
    known["{{failed_experiment_id}}"] = first["event"]["experiment"]["id"]
    return known


def written(name: str, placeholders: dict[str, str]) -> list[str]:
    """Returns the messages in a request file, with what could not be known beforehand put in."""
    text = (REQUESTS / f"{name}.json").read_text("utf-8")
    for placeholder, value in placeholders.items():
        text = text.replace(placeholder, value)
    return documents(text)


def test_the_server_tells_of_every_rpc_that_it_serves(client: Reflected) -> None:
    assert sorted(client.methods()) == sorted(NAMES)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "ReportTask"])
def test_a_request_file_works_as_written(client: Reflected, placeholders: dict[str, str], name: str) -> None:
    answers = client.call(name, *written(name, placeholders))
    assert answers or name == "ListDatasetItems"


def test_a_task_is_reported_as_written(client: Reflected) -> None:
    with assignment(client, "answer") as token:
        (answer,) = client.call("ReportTask", *written("ReportTask", {"{{task_token}}": token}))
    assert answer == {"ack": {"task_token": token}}


@pytest.mark.parametrize("name", sorted(USERS))
async def test_a_request_file_fits_a_service_that_users_write(name: str) -> None:
    async with GrpcEndpoints() as endpoints:
        with grpc.insecure_channel(endpoints.address) as channel:
            answers = await asyncio.to_thread(lambda: Reflected(channel).call(name, *written(name, {})))
    assert len(answers) == 1


@contextmanager
def assignment(client: Reflected, task: str) -> Iterator[str]:
    """Connects a worker and gives it a task; yields the task's token."""
    said = SimpleQueue[str | None]()
    hello = {
        "worker_id": "w",
        "functions": [{"name": task, "kind": "FUNCTION_KIND_TASK"}],
        "max_in_flight": 1,
    }
    said.put(json.dumps({"hello": hello}))
    said.put(json.dumps({"credit": {"count": 1}}))
    call = client.open("Serve", iter(said.get, None))
    try:
        assert "welcome" in client.as_dict(next(call))
        experiment = {
            "name": "for a worker",
            "items": {"items": [{"input": {"value": "Capital of France?"}}]},
            "task": {"worker": {"function": task}},
        }
        client.call("StartExperiment", json.dumps({"experiment": experiment}))
        yield client.as_dict(next(call))["assignment"]["task_token"]
    finally:
        said.put(None)
        call.cancel()
