"""Random messages and random bytes to every RPC of a real server: it stays up, answers with known errors, and tells no secrets.

The requests follow from a seed, which `EVALRPC_TEST_SEED=7 make pytest ARGS="-s tests/faults/test_fuzz.py"` replaces.
"""

from __future__ import annotations

import asyncio
import os
import pprint
import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import json_format
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from evalrpc.v1 import (
    dataset_service_pb2,
    evaluation_service_pb2,
    evaluator_service_pb2,
    experiment_service_pb2,
    task_service_pb2,
    worker_service_pb2,
)
from evalrpc_server.domain.reasons import Reason
from tests.contract.test_requests import documents
from tests.faults.messages import Messages
from tests.processes import ROOT
from tests.servers import Server, Stubs, serving
from tests.service.calls import run, spec
from tests.standins.endpoints import Endpoints
from tests.store.postgres_server import PostgresServer

SEED = os.environ.get("EVALRPC_TEST_SEED", "20261122")
CALLERS = 12
MODULES = (
    experiment_service_pb2,
    evaluator_service_pb2,
    dataset_service_pb2,
    worker_service_pb2,
    task_service_pb2,
    evaluation_service_pb2,
    health_pb2,
    reflection_pb2,
)
OWN = {"evalrpc.v1"}
CALLERS_OWN = {grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED}
"""How calls end that the caller itself has ended."""
ALLOWED = CALLERS_OWN | {
    grpc.StatusCode.OK,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}
LEAKS = re.compile(
    rb"Traceback|evalrpc_server|site-packages|\.py\b|object at 0x|/tmp/|sqlite3|psycopg|pydantic"
    rb"|\b(?!Internal)[A-Z][a-z]+[A-Za-z]*(?:Error|Exception|Warning)\b",
)


@dataclass
class Fuzzer:
    """Calls every method with what chance makes, and counts how the calls end.

    It blocks: of the two clients that gRPC has for Python, the asyncio one tells INTERNAL where a server refuses a stream
    that is still being sent (https://github.com/grpc/grpc/issues/36066).
    """

    channel: grpc.Channel
    seeds: dict[str, list[list[Message]]]
    texts: list[str]
    addresses: Sequence[str]
    codes: Counter[grpc.StatusCode] = field(default_factory=Counter)
    faults: dict[str, list[str]] = field(default_factory=dict)
    """What went wrong, with the requests of the first call that did, in hexadecimal."""

    def call_often(self, times: int, seed: str) -> None:
        """Makes so many calls, one after another."""
        dice = random.Random(seed)
        messages = Messages(dice, self.texts, self.addresses)
        methods = [method for service in services() for method in service.methods]
        for _ in range(times):
            method = dice.choice(methods)
            self.call(method, self.requests(method, messages, dice))

    def requests(self, method: MethodDescriptor, messages: Messages, dice: random.Random) -> list[bytes]:
        """Makes the requests of one call."""
        seeds = self.seeds[method.full_name]
        if seeds and dice.random() < 0.7:
            made = [messages.mutated(seed) if dice.random() < 0.6 else seed for seed in dice.choice(seeds)]
        else:
            count = dice.randint(0, 3) if method.client_streaming else 1
            made = [messages.message(GetMessageClass(method.input_type)) for _ in range(count)]
        raw = [message.SerializeToString() for message in made]
        if dice.random() < 0.2:
            raw = [messages.damaged(each) for each in raw]
        return [*raw, *raw] if dice.random() < 0.02 else raw

    def call(self, method: MethodDescriptor, requests: list[bytes]) -> None:
        """Makes one call and judges its end."""
        path = f"/{method.containing_service.full_name}/{method.name}"
        stub: Any = self.channel.stream_stream(path)
        call = stub(iter(requests), timeout=0.3 if method.server_streaming else 10)
        received: list[bytes] = []
        try:
            for response in call:
                received.append(response)
                if len(received) >= 8:
                    call.cancel()
                    break
        except grpc.RpcError:
            pass  # the code tells
        code, details, trailers = call.code(), call.details() or "", call.trailing_metadata() or ()
        self.codes[code] += 1
        problems = [f"the code {code.name}"] if code not in ALLOWED else []
        told = [*received, details.encode(), *(str(value).encode() for _, value in trailers)]
        problems += [f"the text {found[0]!r}" for text in told if (found := LEAKS.search(text))]
        if code is not grpc.StatusCode.OK and code not in CALLERS_OWN and path.startswith("/evalrpc."):
            problems += _complaints(trailers, code)
        for problem in problems:
            self.faults.setdefault(f"{path}: {problem}: {details}", [raw.hex() for raw in requests])


def services() -> list[ServiceDescriptor]:
    """Returns every service that there is, also those that users implement."""
    return [service for module in MODULES for service in module.DESCRIPTOR.services_by_name.values()]


def _complaints(trailers: Sequence[tuple[str, str | bytes]], code: grpc.StatusCode) -> list[str]:
    """Returns what is wrong with the details of a failed call."""
    packed = [value for key, value in trailers if key == "grpc-status-details-bin"]
    if len(packed) != 1:
        return ["no details"]
    status = status_pb2.Status.FromString(packed[0])
    infos = [detail for detail in status.details if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR)]
    if status.code != code.value[0] or len(infos) != 1:
        return [f"the details {status}"]
    info = error_details_pb2.ErrorInfo.FromString(infos[0].value)
    known = info.domain == "evalrpc.dev" and info.reason in set(Reason) - {Reason.INTERNAL}
    return [] if known else [f"the reason {info.domain}/{info.reason}"]


def _rich(endpoints: Endpoints) -> dict[str, Any]:
    """Returns an experiment that uses nearly everything."""
    url = endpoints.url("/evaluate")
    builtins = ("exact_match", "contains", "json_equal", "numeric_close", "levenshtein", "length", "latency")
    texts = ('{"a": [1, 2.5, null]}', '"text"', "12345678901234567890")
    return {
        "name": "rich",
        "run_name": "one of many",
        "description": "all at once",
        "metadata": {"a": {"b": [1, None, True]}},
        "items": {
            "items": [
                {"id": f"i{n}", "input": {"text": text}, "metadata": {"value": n}}
                for n, text in enumerate(texts)
            ]
        },
        "task": {
            "http": {"url": endpoints.url("/task"), "headers": {"X-A": "b"}, "include_expected_output": True}
        },
        "evaluators": [
            *({"builtin": {"name": name}} for name in builtins),
            {"builtin": {"name": "regex", "params": {"pattern": "(a|b)+"}}},
            {"name": "asked", "http": {"url": url}, "timeout": "2s", "max_concurrency": 2},
            {"name": "called", "grpc": {"target": "127.0.0.1:9"}},
        ],
        "composite_evaluator": {"name": "composed", "http": {"url": url}},
        "run_evaluators": [
            {"name": "m", "builtin": {"name": "mean", "params": {"evaluation": "length"}}},
            {
                "name": "p",
                "builtin": {"name": "percentile", "params": {"evaluation": "length", "p": 90}},
            },
            {"name": "s", "builtin": {"name": "standard_error", "params": {"evaluation": "length"}}},
            {"builtin": {"name": "error_rate"}},
            {"name": "told", "http": {"url": endpoints.url("/evaluate-run")}},
        ],
        "max_concurrency": 2,
        "task_timeout": "5s",
        "evaluator_timeout": "3.5s",
        "retry": {"max_attempts": 2, "initial_backoff": "0.01s", "max_backoff": "0.02s", "multiplier": 1.5},
        "repetitions": 2,
        "dry_run_items": 2,
        "trace": {"name": "t", "tags": ["x"], "session_id": "s", "user_id": "u", "environment": "e"},
    }


async def _prepare(stubs: Stubs, channel: grpc.Channel, endpoints: Endpoints) -> Fuzzer:
    """Stores something of each kind, so that requests can speak of what exists."""
    rich = _rich(endpoints)
    ids = [(await run(stubs, rich))[0].experiment.id for _ in range(2)]
    page = await stubs.experiments.ListItemResults(
        experiment_service_pb2.ListItemResultsRequest(id=ids[0], page_size=1)
    )
    placeholders = {
        "{{experiment_id}}": ids[0],
        "{{other_experiment_id}}": ids[1],
        "http://127.0.0.1:9000": endpoints.origin,
    }
    seeds: dict[str, list[list[Message]]] = {}
    for method in (method for service in services() for method in service.methods):
        seeds[method.full_name] = []
        kind = GetMessageClass(method.input_type)
        if method.name in {"RunExperiment", "StartExperiment"}:
            seeds[method.full_name].append([json_format.ParseDict({"experiment": rich}, kind())])
        path = ROOT / f"proto/requests/{method.name}.json"
        if path.exists():
            text = path.read_text()
            for placeholder, value in placeholders.items():
                text = text.replace(placeholder, value)
            call = [json_format.Parse(document, kind()) for document in documents(text)]
            for message in call:
                if "request_id" in message.DESCRIPTOR.fields_by_name:
                    message.ClearField("request_id")
            seeds[method.full_name].append(call)
    return Fuzzer(
        channel,
        seeds,
        texts=[*ids, page.next_page_token, "accuracy", "accuracy@1", "0f6a3c1e-0000-4000-8000-000000000001"],
        addresses=[
            *(endpoints.url(path) for path in ("/task", "/evaluate", "/status?code=500", "/invalid-json"))
        ],
    )


async def _fuzz(server: Server, calls: int, seed: str) -> None:
    async with Endpoints() as endpoints, grpc.aio.insecure_channel(server.grpc) as own:
        stubs = Stubs(own)
        with grpc.insecure_channel(server.grpc) as channel:
            fuzzer = await _prepare(stubs, channel, endpoints)
            share = calls // CALLERS
            async with asyncio.TaskGroup() as group:
                for caller in range(CALLERS):
                    group.create_task(asyncio.to_thread(fuzzer.call_often, share, f"{seed}-{caller}"))
        counted = {code.name: count for code, count in fuzzer.codes.most_common()}
        print(f"{fuzzer.codes.total()} calls to {len(fuzzer.seeds)} RPCs: {counted}")
        assert not fuzzer.faults, pprint.pformat(fuzzer.faults, width=200)
        assert server.program.process.poll() is None
        await run(stubs, spec(endpoints.url("/task"), 1))
    assert [line for line in server.program.output.splitlines() if "Traceback" in line] == []


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [SEED])
async def test_no_request_breaks_the_server(tmp_path: Path, seed: str) -> None:
    with serving(tmp_path, "--drain-grace", "0") as server:
        await _fuzz(server, 12_000, seed)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [SEED])
async def test_no_request_breaks_a_server_on_postgresql(
    tmp_path: Path, postgres: PostgresServer, seed: str
) -> None:
    flags = ("--drain-grace", "0", "--store", postgres.new_schema("fuzz"))
    with serving(tmp_path, *flags) as server:
        await _fuzz(server, 3000, f"{seed}-postgresql")
