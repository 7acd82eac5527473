"""HTTP of the observations: the events tables (v2, by cursor) and the older tables (by page)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aiohttp import web

from tests.standins.langfuse.answers import (
    Json,
    cursor_page,
    invalid,
    json_response,
    listed,
    not_found,
    page_of,
)
from tests.standins.langfuse.clock import iso, parse_time
from tests.standins.langfuse.filters import read_filter
from tests.standins.langfuse.observation import Observation, flatten, parsed, text
from tests.standins.langfuse.routing import Call, Route
from tests.standins.langfuse.spans import Row

GROUPS = {
    "core", "basic", "time", "io", "metadata", "model", "usage", "prompt", "metrics", "trace_context",
}  # fmt: skip
SHOWN_METADATA = 200

READERS: dict[str, Callable[[Observation], str]] = {
    "id": lambda found: found.span.span_id,
    "traceId": lambda found: found.span.trace_id,
    "name": lambda found: found.span.name,
    "type": lambda found: found.type,
    "level": lambda found: found.level,
    "environment": lambda found: found.environment,
    "parentObservationId": lambda found: found.span.parent_id or "",
    "isRootObservation": lambda found: "true" if found.is_root else "false",
    "userId": lambda found: found.trace_fields()["userId"] or "",
    "sessionId": lambda found: found.trace_fields()["sessionId"] or "",
    "traceName": lambda found: found.trace_fields()["name"] or "",
    "version": lambda found: found.trace_fields()["version"] or "",
    "experimentId": lambda found: found.experiment_id or "",
}


def _between(query: Mapping[str, str], rows: list[Row]) -> list[Row]:
    for name, above in (("fromStartTime", True), ("toStartTime", False)):
        if (given := query.get(name)) is not None:
            moment = parse_time(given)
            if moment is None:
                raise invalid(([name], "Invalid ISO datetime"), code="invalid_format")
            rows = [row for row in rows if (row.start >= moment if above else row.start < moment)]
    return rows


def _selected(call: Call, *, events: bool) -> list[Row]:
    """The rows that the query's parameters, or its filter, pick."""
    query, spans = call.query, call.project.spans
    trace_id = query.get("traceId")
    rows = spans.of_trace(trace_id, events=events) if trace_id else spans.all(events=events)
    rows = _between(query, rows)
    if conditions := read_filter(query, READERS):
        observed = ((row, spans.observation(row)) for row in rows)
        return [
            row
            for row, found in observed
            if all(condition.holds(READERS[condition.column](found)) for condition in conditions)
        ]
    wanted = {name: set(query.getall(name)) for name in READERS if name in query and name != "traceId"}
    if not wanted:
        return rows
    return [
        row
        for row in rows
        if all(READERS[name](spans.observation(row)) in values for name, values in wanted.items())
    ]


async def list_v2(call: Call) -> web.Response:
    """A cursor page of the events tables, newest start first; texts are returned as texts."""
    query = call.query
    groups = listed(query, "fields") or {"basic"}
    if unknown := groups - GROUPS:
        raise invalid((["fields"], f"Invalid field group: {min(unknown)}"), code="invalid_value")
    if query.get("parseIoAsJson") == "true":
        raise invalid((["parseIoAsJson"], "parseIoAsJson is no longer supported"))
    expanded = listed(query, "expandMetadata") or set()
    rows = _selected(call, events=True)
    page, meta = cursor_page(query, rows, lambda row: row.key, highest=1000)
    del meta["limit"]
    data = [v2(call, call.project.spans.observation(row), groups, expanded) for row in page]
    return json_response({"data": data, "meta": meta})


def v2(call: Call, found: Observation, groups: set[str], expanded: set[str]) -> dict[str, Json]:
    """An observation with the field groups asked for."""
    span = found.span
    trace = found.trace_fields()
    form: dict[str, Json] = {
        "id": span.span_id,
        "traceId": span.trace_id,
        **found.times(),
        "projectId": call.project.keys.id,
        "parentObservationId": span.parent_id,
        "type": found.type,
    }
    if "basic" in groups:
        form |= {
            "name": span.name,
            "level": found.level,
            "statusMessage": found.status_message,
            "version": trace["version"],
            "environment": found.environment,
            "bookmarked": False,
            "public": trace["public"],
            "userId": trace["userId"],
            "sessionId": trace["sessionId"],
            "isRootObservation": found.is_root,
        }
    if "io" in groups:
        form |= {"input": text(found.input), "output": text(found.output)}
    if "metadata" in groups:
        form["metadata"] = {
            key: value if key in expanded or len(value) <= SHOWN_METADATA else f"{value[:SHOWN_METADATA]}…"
            for key, value in flatten(found.metadata).items()
        }
    fields = found.model_fields()
    if "time" in groups:
        written = iso(span.end)
        form |= {
            "completionStartTime": fields["completionStartTime"],
            "createdAt": written,
            "updatedAt": written,
        }
    if "model" in groups:
        form |= {"model": found.model, "modelParameters": fields["modelParameters"]}
    if "usage" in groups:
        form |= {"usageDetails": found.usage, "costDetails": found.cost, "totalCost": found.total_cost}
    if "prompt" in groups:
        form |= {"promptName": fields["promptName"], "promptVersion": fields["promptVersion"]}
    if "metrics" in groups:
        form["latency"] = found.latency
    if "trace_context" in groups:
        form |= {"tags": trace["tags"], "release": trace["release"], "traceName": trace["name"]}
    return form


def v1(found: Observation) -> dict[str, Json]:
    """An observation of the older tables; texts that are JSON are returned decoded."""
    span, usage, cost = found.span, found.usage, found.cost
    fields = found.model_fields()
    return {
        "id": span.span_id,
        "traceId": span.trace_id,
        "type": found.type,
        "name": span.name,
        **found.times(),
        "completionStartTime": fields["completionStartTime"],
        "model": found.model,
        "modelParameters": fields["modelParameters"],
        "input": parsed(found.input),
        "output": parsed(found.output),
        "version": found.trace_fields()["version"],
        "metadata": found.metadata,
        "usage": {
            "input": usage.get("input", 0),
            "output": usage.get("output", 0),
            "total": usage.get("total", sum(usage.values())),
            "unit": "TOKENS",
        },
        "usageDetails": usage,
        "costDetails": cost,
        "calculatedTotalCost": found.total_cost,
        "level": found.level,
        "statusMessage": found.status_message,
        "parentObservationId": span.parent_id,
        "promptId": None,
        "promptName": fields["promptName"],
        "promptVersion": fields["promptVersion"],
        "environment": found.environment,
        "latency": found.latency,
    }


async def list_v1(call: Call) -> web.Response:
    """A numbered page of the older tables."""
    spans = call.project.spans
    return page_of(call.query, _selected(call, events=False), lambda row: v1(spans.observation(row)))


async def get_v1(call: Call) -> web.Response:
    """One observation of the older tables."""
    spans = call.project.spans
    for row in spans.all(events=False):
        if row.span_id == call.path("id"):
            return json_response(v1(spans.observation(row)))
    raise not_found("Observation not found")


ROUTES = (
    Route("GET", "/v2/observations", list_v2, v4_read="observations v2"),
    Route("GET", "/observations", list_v1, "legacy-reads", legacy_read=True),
    Route("GET", "/observations/{id}", get_v1, "legacy-reads", legacy_read=True),
)
