"""A local stand-in for Langfuse that costs next to nothing: it takes everything the SDKs send, and counts it.

It accepts without checking; correctness is the business of `tests/standins/langfuse`. `--items FILE` serves the items
of that file as the dataset `benchmark`, `--latency-ms` delays every answer of the API.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import uvloop
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.benchmark.wire import Headers, Respond, serve_until_terminated

DATASET = "benchmark"
_TIME = "2026-01-01T00:00:00.000Z"
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Sink:
    """Answers the SDKs and keeps what they sent until it is counted."""

    def __init__(self, items: list[dict[str, Any]], latency_ms: float) -> None:
        self._items = items
        self._latency = latency_ms / 1000
        self._forget()

    def _forget(self) -> None:
        self._requests: dict[str, int] = {}
        self._traces: list[tuple[Headers, bytes]] = []
        self._scores: list[str] = []
        self._links = 0
        self._bytes = 0
        self._last_record_ns = 0

    def __call__(self, method: bytes, path: bytes, headers: Headers, body: bytes, respond: Respond) -> None:
        if path == b"/stats":
            respond(_encode(self._count()))
            return
        if path == b"/last":
            respond(_encode(self._last_record_ns))
            return
        if path == b"/reset":
            self._forget()
            respond(b"{}")
            return
        url = urlsplit(path.decode())
        route = f"{method.decode()} {url.path.removeprefix('/api/public/')}"
        self._requests[route] = self._requests.get(route, 0) + 1
        self._bytes += len(body)
        answer = self._answer(route, parse_qs(url.query), headers, body)
        if self._latency:
            asyncio.get_running_loop().call_later(self._latency, lambda: respond(*answer))
        else:
            respond(*answer)

    def _answer(
        self, route: str, query: dict[str, list[str]], headers: Headers, body: bytes
    ) -> tuple[bytes, bytes, bytes]:
        json_type, status = b"application/json", b"200 OK"
        match route:
            case "POST otel/v1/traces":
                self._record()
                self._traces.append((headers, body))
                kind = headers.get(b"content-type", json_type)
                return b"" if b"protobuf" in kind else b"{}", status, kind
            case "POST scores":
                self._record()
                scores = _decode(body)
                self._scores.extend(score["id"] for score in scores)
                return b'{"message":"Accepted"}', b"202 Accepted", json_type
            case "POST ingestion":
                self._record()
                events = _decode(body)["batch"]
                self._scores.extend(
                    event["body"]["id"] for event in events if event["type"] == "score-create"
                )
                taken = [{"id": event["id"], "status": 201} for event in events]
                return _encode({"successes": taken, "errors": []}), b"207 Multi-Status", json_type
            case "POST dataset-run-items":
                self._record()
                self._links += 1
                return _encode(_run_item(_decode(body))), status, json_type
            case "GET projects":
                return _encode({"data": [_PROJECT]}), status, json_type
            case "GET experiments":
                return _encode({"data": [], "meta": {"limit": 1}}), status, json_type
            case "GET dataset-run-items":
                return _encode({"message": _EVENTS_ONLY}), b"404 Not Found", json_type
            case "GET dataset-items":
                return _encode(self._page(query)), status, json_type
        if route in {f"GET v2/datasets/{DATASET}", f"GET datasets/{DATASET}"}:
            return _encode(_DATASET), status, json_type
        return b'{"message":"Not found","error":"LangfuseNotFoundError"}', b"404 Not Found", json_type

    def _record(self) -> None:
        self._last_record_ns = time.monotonic_ns()

    def _page(self, query: dict[str, list[str]]) -> dict[str, object]:
        page, limit = int(query.get("page", ["1"])[0]), int(query.get("limit", ["50"])[0])
        part = self._items[(page - 1) * limit : page * limit]
        total = len(self._items)
        meta = {"page": page, "limit": limit, "totalItems": total, "totalPages": -(-total // limit)}
        return {"data": [_dataset_item(item) for item in part], "meta": meta}

    def _count(self) -> dict[str, object]:
        return {
            "requests": self._requests,
            "kib": round(self._bytes / 1024, 1),
            "spans": sum(_span_count(headers, body) for headers, body in self._traces),
            "scores": len(self._scores),
            "distinct_scores": len(set(self._scores)),
            "links": self._links,
            "last_record_ns": self._last_record_ns,
        }


_EVENTS_ONLY = "This endpoint is not available on deployments running in Langfuse v4 events_only mode."
_PROJECT = {
    "id": "project",
    "name": "benchmark",
    "organization": {"id": "org", "name": "benchmark"},
    "metadata": {},
}
_DATASET = {
    "id": "dataset",
    "name": DATASET,
    "description": None,
    "metadata": None,
    "inputSchema": None,
    "expectedOutputSchema": None,
    "projectId": "project",
    "createdAt": _TIME,
    "updatedAt": _TIME,
}


def _dataset_item(item: dict[str, Any]) -> dict[str, object]:
    return {
        "id": item["id"],
        "status": "ACTIVE",
        "input": item["input"],
        "expectedOutput": item["expected_output"],
        "metadata": None,
        "sourceTraceId": None,
        "sourceObservationId": None,
        "datasetId": "dataset",
        "datasetName": DATASET,
        "createdAt": _TIME,
        "updatedAt": _TIME,
        "mediaReferences": [],
    }


def _run_item(link: dict[str, Any]) -> dict[str, object]:
    return {
        "id": f"{link['runName']}-{link['datasetItemId']}",
        "datasetRunId": link["runName"],
        "datasetRunName": link["runName"],
        "datasetItemId": link["datasetItemId"],
        "traceId": link["traceId"],
        "observationId": link.get("observationId"),
        "createdAt": _TIME,
        "updatedAt": _TIME,
    }


def _span_count(headers: Headers, body: bytes) -> int:
    if headers.get(b"content-encoding") == b"gzip":
        body = gzip.decompress(body)
    if b"json" in headers.get(b"content-type", b""):
        scopes = (scope for resource in _decode(body)["resourceSpans"] for scope in resource["scopeSpans"])
        return sum(len(scope["spans"]) for scope in scopes)
    request = ExportTraceServiceRequest.FromString(body)
    return sum(len(scope.spans) for resource in request.resource_spans for scope in resource.scope_spans)


def main() -> None:
    """Serves until it is told to end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=Path)
    parser.add_argument("--latency-ms", type=float, default=0.0)
    arguments = parser.parse_args()
    lines = arguments.items.read_text().splitlines() if arguments.items else []
    uvloop.run(serve_until_terminated(Sink([_decode(line) for line in lines], arguments.latency_ms)))


if __name__ == "__main__":
    main()
