"""HTTP of traces, which only the older tables know, and of the project itself."""

from __future__ import annotations

from aiohttp import web

from tests.standins.langfuse.answers import Json, invalid, json_response, not_found, page_of
from tests.standins.langfuse.clock import SECOND, iso, parse_time
from tests.standins.langfuse.models import Body, read_body
from tests.standins.langfuse.observation import Observation, parsed
from tests.standins.langfuse.observation_routes import v1 as observation_form
from tests.standins.langfuse.routing import Call, Route
from tests.standins.langfuse.score_forms import v1 as score_form


class TraceIds(Body):
    """``DELETE /traces``."""

    traceIds: list[str]  # noqa: N815 - the wire's name


def trace_form(call: Call, trace_id: str, *, full: bool) -> dict[str, Json] | None:
    """A trace made of its readable spans; None when there are none.

    The trace's own fields come from spans that carry them, input and output else from the root span.
    """
    rows = call.project.spans.of_trace(trace_id, events=False)
    if not rows:
        return None
    observations = [call.project.spans.observation(row) for row in rows]
    root = next((one for one in observations if one.span.parent_id is None), observations[-1])
    said = [one.trace_fields() for one in (root, *observations)]

    def first(name: str) -> Json:
        return next((fields[name] for fields in said if fields[name]), None)

    scores = [score_form(one, call.project.scores.configs) for one in call.project.scores.of_target(trace_id)]
    start, end = min(row.start for row in rows), max(row.end for row in rows)
    return {
        "id": trace_id,
        "timestamp": iso(root.span.start),
        "name": first("name") or root.span.name,
        "input": parsed(first("input") if first("input") is not None else root.input),
        "output": parsed(first("output") if first("output") is not None else root.output),
        "sessionId": first("sessionId"),
        "release": first("release"),
        "version": first("version"),
        "userId": first("userId"),
        "metadata": {**root.metadata, **(first("metadata") or {})},
        "tags": first("tags") or [],
        "public": bool(first("public")),
        "environment": root.environment,
        "htmlPath": f"/project/{call.project.keys.id}/traces/{trace_id}",
        "latency": (end - start) / SECOND,
        "totalCost": sum(one.total_cost for one in observations),
        "observations": [
            observation_form(one) if full else one.span.span_id for one in _oldest(observations)
        ],
        "scores": scores if full else [score["id"] for score in scores],
    }


def _oldest(observations: list[Observation]) -> list[Observation]:
    return sorted(observations, key=lambda one: one.span.start)


async def list_traces(call: Call) -> web.Response:
    """A numbered page of traces, newest first."""
    query = call.query
    starts: dict[str, int] = {}
    for row in call.project.spans.all(events=False):
        starts[row.trace_id] = row.start
    for name in ("fromTimestamp", "toTimestamp"):
        if (given := query.get(name)) is not None:
            moment = parse_time(given)
            if moment is None:
                raise invalid(([name], "Invalid ISO datetime"), code="invalid_format")
            low = name == "fromTimestamp"
            starts = {one: at for one, at in starts.items() if (at >= moment if low else at < moment)}
    found = sorted(starts, key=lambda trace_id: starts[trace_id], reverse=True)
    wanted = {name: query[name] for name in ("name", "userId", "sessionId", "environment") if name in query}
    if wanted or "tags" in query:
        tags = set(query.getall("tags", []))
        forms = {trace_id: trace_form(call, trace_id, full=False) or {} for trace_id in found}
        found = [
            trace_id
            for trace_id, form in forms.items()
            if all(form.get(name) == value for name, value in wanted.items()) and tags <= set(form["tags"])
        ]
    return page_of(query, found, lambda trace_id: trace_form(call, trace_id, full=False))


async def get_trace(call: Call) -> web.Response:
    """One trace with its observations and scores."""
    form = trace_form(call, call.path("id"), full=True)
    if form is None:
        raise not_found("Trace not found within authorized project")
    return json_response(form)


async def delete_traces(call: Call) -> web.Response:
    """Delete many traces with their scores."""
    _delete(call, set(read_body(TraceIds, call.body).traceIds))
    return json_response({"message": "Traces deleted successfully"})


async def delete_trace(call: Call) -> web.Response:
    """Delete one trace with its scores."""
    _delete(call, {call.path("id")})
    return json_response({"message": "Trace deleted successfully"})


def _delete(call: Call, trace_ids: set[str]) -> None:
    call.project.spans.delete_traces(trace_ids)
    call.project.scores.delete_of_traces(trace_ids)


async def list_projects(call: Call) -> web.Response:
    """The one project that the caller's keys open."""
    return json_response({"data": [call.project.show()]})


ROUTES = (
    Route("GET", "/projects", list_projects),
    Route("GET", "/traces", list_traces, "legacy-reads", legacy_read=True),
    Route("GET", "/traces/{id}", get_trace, "legacy-reads", legacy_read=True),
    Route("DELETE", "/traces", delete_traces),
    Route("DELETE", "/traces/{id}", delete_trace),
)
