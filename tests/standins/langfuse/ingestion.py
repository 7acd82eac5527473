"""HTTP of the older batch endpoint, as far as experiments use it: score events."""

from __future__ import annotations

from aiohttp import web

from tests.standins.langfuse.answers import Json, Refused, invalid, json_response
from tests.standins.langfuse.clock import parse_time
from tests.standins.langfuse.models import ScoreBody, check
from tests.standins.langfuse.routing import LARGE_BODY, Call, Route

EVENTS_ONLY = (
    "Event type not accepted: this Langfuse v4 deployment runs in events_only mode. "
    "Send traces and observations to the OTLP endpoint."
)
NOT_MODELLED = "The stand-in keeps scores only; send traces and observations to the OTLP endpoint."


async def take_batch(call: Call) -> web.Response:
    """Take in a batch entry by entry; the answer is 207 whatever became of them."""
    document = call.json()
    batch = document.get("batch") if isinstance(document, dict) else None
    if not isinstance(batch, list):
        raise invalid((["batch"], "Invalid input: expected array, received undefined"), code="invalid_type")
    successes: list[Json] = []
    errors: list[Json] = []
    for entry in batch:
        identity = entry.get("id", "") if isinstance(entry, dict) else ""
        try:
            _take(call, entry)
        except Refused as refusal:
            errors.append(
                {
                    "id": identity,
                    "status": refusal.status,
                    "message": refusal.body["message"],
                    "error": str(refusal.body.get("error", "")),
                }
            )
        else:
            successes.append({"id": identity, "status": 201})
    return json_response({"successes": successes, "errors": errors}, 207)


def _take(call: Call, entry: Json) -> None:
    if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
        raise invalid((["id"], "Invalid input: expected string"))
    timestamp = parse_time(str(entry.get("timestamp")))
    if timestamp is None:
        raise invalid((["timestamp"], "Invalid ISO datetime"))
    kind = entry.get("type")
    if kind == "sdk-log":
        return
    if kind != "score-create":
        message = EVENTS_ONLY if call.settings.mode == "events_only" else NOT_MODELLED
        raise Refused(400, {"message": message, "error": "InvalidRequestError"})
    if call.settings.count_only:
        call.project.tally.scores += 1
        call.project.tally.score_ids.add(str((entry.get("body") or {}).get("id")))
        return
    call.project.scores.put(check(ScoreBody, entry.get("body")), timestamp)


ROUTES = (Route("POST", "/ingestion", take_batch, "ingestion", body_limit=LARGE_BODY, limit_text="4.5mb"),)
