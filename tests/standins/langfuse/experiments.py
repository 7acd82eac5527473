"""Experiments, which exist only as attributes of spans: what the two read endpoints make of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aiohttp import web

from tests.standins.langfuse.answers import (
    Json,
    cursor_page,
    invalid,
    json_response,
    listed,
    read_limit,
)
from tests.standins.langfuse.clock import iso, parse_time
from tests.standins.langfuse.filters import read_filter
from tests.standins.langfuse.observation import EXPERIMENT, flatten, parsed, prefixed, text
from tests.standins.langfuse.routing import Call, Route
from tests.standins.langfuse.score_forms import v3
from tests.standins.langfuse.scores import DAY, Score
from tests.standins.langfuse.spans import Facts, Row

SCORE_GROUPS = {"details", "subject"}
EXPERIMENT_GROUPS = {"core", "metadata", "scores"}
ITEM_GROUPS = {"core", "dataset", "io", "metadata", "itemMetadata", "experimentMetadata", "scores"}


def _window(query: Mapping[str, str]) -> tuple[int, int]:
    bounds = []
    for name, required in (("fromStartTime", True), ("toStartTime", False)):
        given = query.get(name)
        if given is None and not required:
            bounds.append(2**63)
            continue
        moment = None if given is None else parse_time(given)
        if moment is None:
            raise invalid(([name], "Invalid ISO datetime"), code="invalid_format")
        bounds.append(moment)
    return bounds[0], bounds[1]


def _groups(query: Mapping[str, str], known: set[str], default: set[str]) -> set[str]:
    groups = listed(query, "fields") or default
    if unknown := groups - known:
        raise invalid((["fields"], f"Invalid field group: {min(unknown)}"), code="invalid_value")
    return groups


def any_of(values: Iterable[str]) -> str:
    """The database's ``any()`` at its worst: one span that says nothing may answer for all."""
    found = set(values)
    return "" if "" in found else min(found, default="")


def describe(facts: Iterable[Facts]) -> dict[str, str]:
    """What an experiment's spans say together."""
    known = set(facts)
    return {
        "name": any_of(fact.name for fact in known),
        "description": any_of(fact.description for fact in known),
        "dataset_id": any_of(fact.dataset_id for fact in known),
        "metadata": any_of(fact.metadata for fact in known),
    }


async def list_experiments(call: Call) -> web.Response:
    """A cursor page of experiments, latest activity first."""
    query = call.query
    start, end = _window(query)
    groups = _groups(query, EXPERIMENT_GROUPS, {"core"})
    score_limit = read_limit(query, "scoreLimit", highest=50)
    conditions = read_filter(query, ("id", "name", "datasetId"))
    ids, names, datasets = (listed(query, name) for name in ("id", "name", "datasetId"))
    spans = call.project.spans
    found: list[tuple[int, str, dict[str, Json]]] = []
    for identity in spans.experiment_ids() if ids is None else sorted(ids & set(spans.experiment_ids())):
        rows = [row for row in spans.of_experiment(identity) if start <= row.start < end]
        if not rows:
            continue
        said = describe(row.facts for row in rows if row.facts is not None)
        columns = {"id": identity, "name": said["name"], "datasetId": said["dataset_id"]}
        if (names is not None and said["name"] not in names) or (
            datasets is not None and said["dataset_id"] not in datasets
        ):
            continue
        if not all(condition.holds(columns[condition.column]) for condition in conditions):
            continue
        last = max(row.end for row in rows)
        form: dict[str, Json] = {
            "id": identity,
            "name": said["name"],
            "description": said["description"],
            "startTime": iso(rows[-1].start),
            "endTime": iso(last),
            "itemCount": len({(row.trace_id, row.span_id) for row in rows if row.is_item_root}),
            "datasetId": said["dataset_id"] or None,
        }
        if "metadata" in groups:
            form["metadata"] = _metadata(said["metadata"])
        if "scores" in groups:
            scores = _near(call.project.scores.of_target(identity), rows)
            form["scores"] = [v3(score, SCORE_GROUPS) for score in scores if score.run_id][:score_limit]
        found.append((last, identity, form))
    found.sort(key=lambda entry: entry[:2], reverse=True)
    page, meta = cursor_page(query, found, lambda entry: (entry[0], entry[1]))
    return json_response({"data": [entry[2] for entry in page], "meta": meta})


def _metadata(document: str) -> dict[str, str]:
    content = parsed(document)
    return flatten(content) if isinstance(content, dict) else {}


def _near(scores: Iterable[Score], rows: list[Row]) -> list[Score]:
    """The scores within a day around the rows; others are not looked up."""
    first, last = min(row.start for row in rows) - DAY, max(row.end for row in rows) + DAY
    return [score for score in scores if first <= score.timestamp <= last]


async def list_items(call: Call) -> web.Response:
    """A cursor page of experiment items, newest start first."""
    query = call.query
    start, end = _window(query)
    groups = _groups(query, ITEM_GROUPS, {"core", "dataset"})
    score_limit = read_limit(query, "scoreLimit", highest=50)
    columns = ("experimentId", "experimentName", "experimentItemId", "datasetId")
    wanted = {name: listed(query, name) for name in columns}
    conditions = read_filter(query, columns)
    spans = call.project.spans
    ids = wanted["experimentId"]
    chosen = spans.experiment_ids() if ids is None else [one for one in spans.experiment_ids() if one in ids]
    lists = [spans.item_roots(identity) for identity in chosen]
    rows = (
        lists[0]
        if len(lists) == 1
        else sorted((row for rows in lists for row in rows), key=lambda row: row.key, reverse=True)
    )
    if not (rows and start <= rows[-1].start and rows[0].start < end):
        rows = [row for row in rows if start <= row.start < end]
    if conditions or any(wanted[name] for name in columns[1:]):
        rows = [
            row
            for row in rows
            if all(
                wanted[name] is None or value in (wanted[name] or ()) for name, value in _columns(row).items()
            )
            and all(condition.holds(_columns(row)[condition.column]) for condition in conditions)
        ]
    page, meta = cursor_page(query, rows, lambda row: row.key)
    return json_response({"data": [_item(call, row, groups, score_limit) for row in page], "meta": meta})


def _columns(row: Row) -> dict[str, str]:
    facts = row.facts
    return {
        "experimentId": facts.id if facts else "",
        "experimentName": facts.name if facts else "",
        "experimentItemId": row.item_id or "",
        "datasetId": facts.dataset_id if facts else "",
    }


def _item(call: Call, row: Row, groups: set[str], score_limit: int) -> dict[str, Json]:
    observation = call.project.spans.observation(row)
    attributes = observation.attributes
    columns = _columns(row)
    form: dict[str, Json] = {
        "id": row.span_id,
        "traceId": row.trace_id,
        **observation.times(),
        "level": observation.level,
        "environment": observation.environment,
        "experimentId": columns["experimentId"],
        "experimentName": columns["experimentName"],
        "experimentItemId": columns["experimentItemId"],
    }
    if "dataset" in groups:
        version = parse_time(str(attributes.get(f"{EXPERIMENT}item.version", "")))
        form["experimentDatasetId"] = columns["datasetId"] or None
        form["experimentItemVersion"] = None if version is None else iso(version)
    if "io" in groups:
        form["input"] = text(observation.input)
        form["output"] = text(observation.output)
        form["expectedOutput"] = text(attributes.get(f"{EXPERIMENT}item.expected_output"))
    if "metadata" in groups:
        form["metadata"] = flatten(observation.metadata)
    if "itemMetadata" in groups:
        form["experimentItemMetadata"] = flatten(
            prefixed(attributes, f"{EXPERIMENT}item.metadata", decode=False)
        )
    if "experimentMetadata" in groups and row.facts is not None:
        form["experimentMetadata"] = _metadata(row.facts.metadata)
        form["experimentDescription"] = row.facts.description
    if "scores" in groups:
        scores = [
            score
            for score in _near(call.project.scores.of_target(row.trace_id), [row])
            if score.observation_id in (None, row.span_id)
        ]
        form["scores"] = [v3(score, SCORE_GROUPS) for score in scores[:score_limit]]
    return form


ROUTES = (
    Route("GET", "/experiments", list_experiments, v4_read="experiments"),
    Route("GET", "/experiment-items", list_items, v4_read="experiment items"),
)
