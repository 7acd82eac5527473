"""HTTP of datasets and dataset items."""

from __future__ import annotations

import msgspec
from aiohttp import web

from tests.standins.langfuse.answers import Refused, invalid, json_response, page_of
from tests.standins.langfuse.clock import parse_time
from tests.standins.langfuse.datasets import Dataset, ItemVersion
from tests.standins.langfuse.models import DatasetBody, DatasetItemBody, read_body
from tests.standins.langfuse.routing import LARGE_BODY, Call, Route


async def put_dataset(call: Call) -> web.Response:
    """Create or change a dataset."""
    return json_response(call.project.datasets.put(read_body(DatasetBody, call.body)).show())


async def list_datasets(call: Call) -> web.Response:
    """A page of datasets, newest first."""
    return page_of(call.query, call.project.datasets.all(), Dataset.show)


async def get_dataset(call: Call) -> web.Response:
    """One dataset by name."""
    return json_response(call.project.datasets.get(call.path("name")).show())


async def put_item(call: Call) -> web.Response:
    """Create or change a dataset item."""
    return json_response(call.project.datasets.put_item(read_body(DatasetItemBody, call.body)).show())


async def list_items(call: Call) -> web.Response:
    """A page of ACTIVE items, newest write first, now or at a version."""
    query, table = call.query, call.project.datasets
    name, version = query.get("datasetName"), query.get("version")
    moment = None
    if version is not None:
        moment = parse_time(version)
        if moment is None:
            raise invalid((["version"], "Invalid ISO datetime"), code="invalid_format")
        if not name:
            raise invalid((["version"], "datasetName is required when version is given"))
    datasets = [table.get(name)] if name else table.all()
    items: list[ItemVersion] = []
    for dataset in datasets:
        active = table.active(dataset, moment)
        items = active if len(datasets) == 1 else [*items, *active]
    if len(datasets) > 1:
        items.sort(key=lambda item: item.key, reverse=True)
    for parameter in ("sourceTraceId", "sourceObservationId"):
        if wanted := query.get(parameter):
            items = [item for item in items if item.show()[parameter] == wanted]
    return page_of(query, items, ItemVersion.raw)


async def get_item(call: Call) -> web.Response:
    """One item by id, archived or not."""
    return json_response(call.project.datasets.item(call.path("id")).show())


async def delete_item(call: Call) -> web.Response:
    """Delete an item."""
    call.project.datasets.delete_item(call.path("id"))
    return json_response({"message": "Dataset item successfully deleted"})


async def load_items(call: Call) -> web.Response:
    """Control: a whole dataset with its items in one request, ``{"name", "items": [...]}``."""
    document = msgspec.json.decode(call.body)
    if not isinstance(document, dict) or not isinstance(document.get("name"), str):
        raise Refused(400, {"message": "name and items are required"})
    dataset = call.project.datasets.load(document["name"], document.get("items", []))
    return json_response({**dataset.show(), "itemCount": len(dataset.items)})


ROUTES = (
    Route("POST", "/v2/datasets", put_dataset, "datasets"),
    Route("GET", "/v2/datasets", list_datasets, "datasets"),
    Route("GET", "/v2/datasets/{name}", get_dataset, "datasets"),
    Route("POST", "/dataset-items", put_item, "datasets", body_limit=LARGE_BODY, limit_text="4.5mb"),
    Route("GET", "/dataset-items", list_items, "datasets"),
    Route("GET", "/dataset-items/{id}", get_item, "datasets"),
    Route("DELETE", "/dataset-items/{id}", delete_item, "datasets"),
)
