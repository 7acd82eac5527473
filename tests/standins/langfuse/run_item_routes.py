"""HTTP of dataset runs and dataset run items."""

from __future__ import annotations

import uuid

from aiohttp import web

from tests.standins.langfuse.answers import Json, invalid, json_response, not_found, page_of
from tests.standins.langfuse.clock import iso
from tests.standins.langfuse.models import RunItemBody, read_body
from tests.standins.langfuse.routing import Call, Route
from tests.standins.langfuse.run_items import Run, RunItem, stable_run_id


async def link(call: Call) -> web.Response:
    """Link a trace to a dataset item; in events_only mode only tell the run's id."""
    body = read_body(RunItemBody, call.body)
    project = call.project
    state = project.datasets.item(body.datasetItemId)
    if state.status != "ACTIVE":
        raise not_found("Dataset item not found")
    trace_id = body.traceId or _trace_of(call, body.observationId or "")
    if call.settings.count_only:
        project.tally.run_items += 1
    elif call.settings.mode != "events_only":
        return json_response(project.runs.link(body, state, trace_id).show())
    now = iso(call.standin.clock.now_ms())
    run_id = stable_run_id(project.keys.id, state.item.dataset.id, body.runName)
    return json_response(
        {
            "id": str(uuid.uuid4()),
            "datasetRunId": run_id,
            "datasetRunName": body.runName,
            "datasetItemId": state.item.id,
            "traceId": trace_id,
            "observationId": body.observationId,
            "createdAt": now,
            "updatedAt": now,
        }
    )


def _trace_of(call: Call, observation_id: str) -> str:
    events = call.settings.mode != "legacy"
    for row in call.project.spans.all(events=events):
        if row.span_id == observation_id:
            return row.trace_id
    raise not_found("Observation not found")


async def list_run_items(call: Call) -> web.Response:
    """A page of a run's items, newest first."""
    dataset_id, run_name = call.query.get("datasetId"), call.query.get("runName")
    missing = [name for name in ("datasetId", "runName") if not call.query.get(name)]
    if missing or dataset_id is None or run_name is None:
        raise invalid(*(([name], "Invalid input: expected string") for name in missing))
    dataset = call.project.datasets.by_id(dataset_id)
    if dataset is None:
        raise not_found("Dataset not found")
    run = call.project.runs.get(dataset, run_name)
    return page_of(call.query, call.project.runs.readable(run), RunItem.show)


def _run(call: Call) -> Run:
    dataset = call.project.datasets.get(call.path("name"))
    return call.project.runs.get(dataset, call.path("run"))


async def list_runs(call: Call) -> web.Response:
    """A page of a dataset's runs, newest first."""
    dataset = call.project.datasets.get(call.path("name"))
    return page_of(call.query, call.project.runs.of_dataset(dataset), Run.show)


async def get_run(call: Call) -> web.Response:
    """A run with all its items."""
    run = _run(call)
    items: Json = [item.show() for item in call.project.runs.readable(run)]
    return json_response({**run.show(), "datasetRunItems": items})


async def delete_run(call: Call) -> web.Response:
    """Delete a run."""
    call.project.runs.delete(_run(call))
    return json_response({"message": "Dataset run successfully deleted"})


ROUTES = (
    Route("POST", "/dataset-run-items", link, "datasets"),
    Route("GET", "/dataset-run-items", list_run_items, "datasets", legacy_read=True),
    Route("GET", "/datasets/{name}/runs", list_runs, "datasets", legacy_read=True),
    Route("GET", "/datasets/{name}/runs/{run}", get_run, "datasets", legacy_read=True),
    Route("DELETE", "/datasets/{name}/runs/{run}", delete_run, "datasets", legacy_read=True),
)
