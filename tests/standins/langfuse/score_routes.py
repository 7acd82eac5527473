"""HTTP of scores and score configs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
from aiohttp import web
from pydantic import ValidationError

from tests.standins.langfuse.answers import (
    Json,
    cursor_page,
    encode_json,
    invalid,
    json_response,
    listed,
    not_found,
    page_of,
)
from tests.standins.langfuse.clock import parse_time
from tests.standins.langfuse.models import ScoreBody, ScoreConfigBody, check, read_body, refusal_of
from tests.standins.langfuse.routing import Call, Route
from tests.standins.langfuse.score_forms import v1, v3
from tests.standins.langfuse.scores import Score, ScoreConfig

FIELD_GROUPS = {"core", "details", "subject", "annotation"}


async def create(call: Call) -> web.Response:
    """Take one score, or an array of them on servers that know arrays."""
    document = call.json()
    if isinstance(document, list):
        if not call.settings.takes_score_arrays:
            raise invalid(([], "Invalid input: expected object, received array"), code="invalid_type")
        return _create_many(call, document)
    body = check(ScoreBody, document)
    if call.settings.count_only:
        _tally(call, document)
        return json_response({"id": body.id or ""})
    timestamp = body.timestamp if call.settings.takes_score_arrays else None
    return json_response({"id": call.project.scores.put(body, timestamp)})


def _tally(call: Call, document: Json) -> None:
    call.project.tally.scores += 1
    call.project.tally.score_ids.add(str(document.get("id")))


def _create_many(call: Call, documents: list[Json]) -> web.Response:
    if call.settings.count_only:
        for document in documents:
            _tally(call, document)
        return json_response({"message": "Accepted"}, 202)
    errors = []
    for document in documents:
        try:
            body = ScoreBody.model_validate(document)
        except ValidationError as error:
            issues = refusal_of(error).body["error"]
            text = "; ".join(f"{'.'.join(map(str, issue['path']))}: {issue['message']}" for issue in issues)
            errors.append({"message": f"Invalid request data: {text}"})
            continue
        call.project.scores.put(body, body.timestamp)
    if not errors:
        return json_response({"message": "Accepted"}, 202)
    accepted = len(documents) - len(errors)
    return json_response({"accepted": accepted, "rejected": len(errors), "errors": errors}, 207)


async def delete(call: Call) -> web.Response:
    """Delete a score."""
    call.project.scores.delete(call.path("id"))
    return json_response({"message": "Score deletion request received successfully"}, 202)


def _number(query: Mapping[str, str], name: str) -> float | None:
    text = query.get(name)
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        raise invalid(([name], "Invalid input: expected number")) from None


def _time(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    moment = parse_time(text)
    if moment is None:
        raise invalid(([name], "Invalid ISO datetime"), code="invalid_format")
    return moment


LISTS: dict[str, Callable[[Score], str | None]] = {
    "id": lambda score: score.id,
    "name": lambda score: score.name,
    "source": lambda score: score.source,
    "dataType": lambda score: score.data_type,
    "environment": lambda score: score.environment,
    "configId": lambda score: score.config_id,
    "queueId": lambda score: score.queue_id,
    "value": lambda score: encode_json(score.value).decode().strip('"'),
    "traceId": lambda score: score.trace_id,
    "sessionId": lambda score: score.session_id,
    "observationId": lambda score: score.observation_id,
    "experimentId": lambda score: score.run_id,
}


async def list_v3(call: Call) -> web.Response:
    """A cursor page of scores, newest first."""
    query = call.query
    targets = [name for name in ("traceId", "sessionId", "experimentId") if query.get(name)]
    if len(targets) > 1:
        raise invalid((targets, "traceId, sessionId and experimentId are mutually exclusive"))
    if query.get("observationId") and not query.get("traceId"):
        raise invalid((["observationId"], "observationId requires traceId"))
    groups = listed(query, "fields") or {"core"}
    if unknown := groups - FIELD_GROUPS:
        raise invalid((["fields"], f"Invalid field group: {min(unknown)}"), code="invalid_value")
    table = call.project.scores
    wanted = listed(query, targets[0]) if targets else None
    scores = (
        table.of_target(next(iter(wanted))) if wanted is not None and len(wanted) == 1 else table.readable()
    )
    for name, read in LISTS.items():
        if (values := listed(query, name)) is not None:
            scores = [score for score in scores if read(score) in values]
    scores = _within(query, scores)
    page, meta = cursor_page(query, scores, lambda score: score.key)
    return json_response({"data": [v3(score, groups) for score in page], "meta": meta})


def _within(query: Mapping[str, str], scores: list[Score]) -> list[Score]:
    low, high = _number(query, "valueMin"), _number(query, "valueMax")
    start, end = _time(query, "fromTimestamp"), _time(query, "toTimestamp")
    if low is not None:
        scores = [score for score in scores if not isinstance(score.value, str) and score.value >= low]
    if high is not None:
        scores = [score for score in scores if not isinstance(score.value, str) and score.value <= high]
    if start is not None:
        scores = [score for score in scores if score.timestamp >= start]
    if end is not None:
        scores = [score for score in scores if score.timestamp < end]
    return scores


async def list_pages(call: Call) -> web.Response:
    """A numbered page of scores, newest first."""
    query, table = call.query, call.project.scores
    scores = table.readable()
    for name, attribute in (
        ("name", "name"), ("traceId", "trace_id"), ("observationId", "observation_id"),
        ("sessionId", "session_id"), ("datasetRunId", "run_id"), ("dataType", "data_type"),
        ("source", "source"), ("configId", "config_id"), ("environment", "environment"),
    ):  # fmt: skip
        if wanted := query.get(name):
            scores = [score for score in scores if getattr(score, attribute) == wanted]
    if (identities := listed(query, "scoreIds")) is not None:
        scores = [score for score in scores if score.id in identities]
    if "v2" not in call.request.path:
        scores = [score for score in scores if score.trace_id]
    return page_of(query, _within(query, scores), lambda score: v1(score, table.configs))


async def get_one(call: Call) -> web.Response:
    """One score by id."""
    table = call.project.scores
    for score in table.readable():
        if score.id == call.path("id"):
            return json_response(v1(score, table.configs))
    raise not_found("Score not found")


async def create_config(call: Call) -> web.Response:
    """Create a score config."""
    return json_response(call.project.scores.add_config(read_body(ScoreConfigBody, call.body)).show())


async def list_configs(call: Call) -> web.Response:
    """A numbered page of score configs."""
    return page_of(call.query, list(call.project.scores.configs.values()), ScoreConfig.show)


async def get_config(call: Call) -> web.Response:
    """One score config."""
    return json_response(call.project.scores.config(call.path("id")).show())


async def change_config(call: Call) -> web.Response:
    """Archive a score config, or bring it back."""
    config = call.project.scores.config(call.path("id"))
    document = msgspec.json.decode(call.body)
    config.archived = bool(document.get("isArchived", config.archived))
    return json_response(config.show())


ROUTES = (
    Route("POST", "/scores", create, scores_only=True),
    Route("DELETE", "/scores/{id}", delete),
    Route("GET", "/scores", list_pages, legacy_read=True),
    Route("GET", "/scores/{id}", get_one, legacy_read=True),
    Route("GET", "/v2/scores", list_pages, legacy_read=True),
    Route("GET", "/v2/scores/{id}", get_one, legacy_read=True),
    Route("GET", "/v3/scores", list_v3),
    Route("POST", "/score-configs", create_config),
    Route("GET", "/score-configs", list_configs),
    Route("GET", "/score-configs/{id}", get_config),
    Route("PATCH", "/score-configs/{id}", change_config),
)
