"""A bare HTTP client of a Langfuse stand-in for tests, and small spans to send through it."""

from __future__ import annotations

import base64
import gzip
import io
import json
import time
from types import TracebackType
from typing import Any, NamedTuple, Self

import aiohttp
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from yarl import URL

from tests.standins.langfuse import LangfuseStandIn

INGESTION_4 = {"x-langfuse-ingestion-version": "4"}
SINCE = {"fromStartTime": "2020-01-01T00:00:00Z"}


class Answer(NamedTuple):
    """An answer: its status, its decoded body (text when it is no JSON), its headers."""

    status: int
    body: Any
    headers: dict[str, str]


def basic(public: str, secret: str) -> str:
    """The ``Authorization`` header of a key pair."""
    return "Basic " + base64.b64encode(f"{public}:{secret}".encode()).decode()


class Api:
    """Calls one project of a stand-in."""

    def __init__(self, standin: LangfuseStandIn, project: str | None = None) -> None:
        self._standin = standin
        keys = standin.project(project).keys
        self._authorization = basic(keys.public_key, keys.secret_key)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._session is not None
        await self._session.close()

    async def call(
        self, method: str, path: str, *, auth: bool = True, control: bool = False, **options: Any
    ) -> Answer:
        """Call ``/api/public<path>``, or the control surface."""
        assert self._session is not None
        base = f"{self._standin.control_url}/__standin" if control else f"{self._standin.url}/api/public"
        headers = dict(options.pop("headers", {}))
        if auth and not control and "Authorization" not in headers:
            headers["Authorization"] = self._authorization
        # The path goes out as it is written, percent signs included.
        url = URL(base + path, encoded=True)
        async with self._session.request(method, url, headers=headers, **options) as response:
            text = await response.text()
            body = json.loads(text) if response.content_type == "application/json" else text
            return Answer(response.status, body, dict(response.headers))

    async def get(self, path: str, **query: Any) -> Answer:
        """GET with query parameters."""
        return await self.call("GET", path, params={key: str(value) for key, value in query.items()})

    async def post(self, path: str, body: Any) -> Answer:
        """POST a JSON document."""
        # aiohttp warns about large bodies that are not a file.
        data = io.BytesIO(json.dumps(body).encode())
        return await self.call("POST", path, data=data, headers={"Content-Type": "application/json"})

    async def export(self, *spans: dict[str, Any], headers: dict[str, str] | None = None) -> Answer:
        """Export spans as gzip protobuf, with ingestion version 4 unless other headers are given."""
        return await self.call(
            "POST",
            "/otel/v1/traces",
            data=gzip.compress(protobuf(*spans)),
            headers={
                "Content-Type": "application/x-protobuf",
                "Content-Encoding": "gzip",
                **(INGESTION_4 if headers is None else headers),
            },
        )


def span(number: int, trace: int, **attributes: Any) -> dict[str, Any]:
    """A span; ids are made of the numbers, and ``_`` in an attribute's name stands for a dot.

    ``parent``, ``name``, ``start`` (ns) and ``resource`` are fields instead of attributes.
    """
    return {
        "span_id": f"{number:016x}",
        "trace_id": f"{trace:032x}",
        "parent": attributes.pop("parent", None),
        "name": attributes.pop("name", f"span {number}"),
        "start": attributes.pop("start", None) or time.time_ns(),
        "resource": attributes.pop("resource", {}),
        "attributes": attributes,
    }


def item_span(number: int, trace: int, *, experiment: str = "exp-1", **attributes: Any) -> dict[str, Any]:
    """A span of an experiment item that is the item's own root observation."""
    made = span(number, trace, **attributes)
    said = {
        "langfuse.experiment.id": experiment,
        "langfuse.experiment.name": "run 1",
        "langfuse.experiment.description": "about it",
        "langfuse.experiment.metadata": '{"model":"m","n":{"x":1}}',
        "langfuse.experiment.item.id": f"item-{trace}",
        "langfuse.experiment.item.root_observation_id": made["span_id"],
        "langfuse.environment": "sdk-experiment",
    }
    made["attributes"] = {**said, **made["attributes"]}
    return made


def protobuf(*spans: dict[str, Any]) -> bytes:
    """An export request."""
    request = ExportTraceServiceRequest()
    for one in spans:
        resource_spans = request.resource_spans.add()
        for key, value in one["resource"].items():
            resource_spans.resource.attributes.add(key=key).value.string_value = value
        scope = resource_spans.scope_spans.add()
        scope.scope.name = "test"
        made = scope.spans.add(
            trace_id=bytes.fromhex(one["trace_id"]),
            span_id=bytes.fromhex(one["span_id"]),
            parent_span_id=bytes.fromhex(one["parent"]) if one["parent"] else b"",
            name=one["name"],
            start_time_unix_nano=one["start"],
            end_time_unix_nano=one["start"] + 5_000_000,
        )
        for key, value in one["attributes"].items():
            made.attributes.add(key=key).value.string_value = value
    return request.SerializeToString()
