"""Chat assistants: completions with a session, as one document or as a stream."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.standins.ragflow.envelope import FailedError, ok
from tests.standins.ragflow.turns import PROLOGUE, Turn, turn
from tests.standins.served import EventWriter, pieces

if TYPE_CHECKING:
    from tests.standins.ragflow.app import RagflowStandIn


async def complete(standin: RagflowStandIn, body: dict[str, Any], request: web.Request) -> web.StreamResponse:
    """Answers a question. Up to 0.25, one without a session is blanked."""
    owner = request.match_info.get("owner") or body.get("chat_id", "")
    if owner != standin.chat_id:
        raise FailedError(102, f"You don't own the chat {owner}")
    stream = body.get("stream", True)
    question = body.get("question") or _last(body.get("messages")) or ""
    session = body.get("session_id")
    if not session:
        if not standin.current:
            question = ""
        session = standin.new_session(owner)
        if not standin.current and stream:
            return await _greeting(request, session)
    elif session not in standin.sessions or standin.sessions[session].owner != owner:
        raise FailedError(102, "You don't own the session")
    for name in standin.required:
        if name not in body:
            raise FailedError(100, f"KeyError('Miss parameter: {name}')")
    if question == "!exception":
        raise FailedError(100, "ConnectionError('elasticsearch')")
    standin.sessions[session].messages.append(question)
    if question == "!wait":
        standin.waiting.set()
        await standin.go_on.wait()
    marks = standin.marks if standin.quote else ""
    answer = turn(question, marks=marks, answers=standin.answers)
    if not standin.quote:
        answer = Turn(answer.answer, [], answer.fault)
    if stream:
        return await _stream(standin, request, answer, session)
    data = {"answer": answer.answer, "reference": _reference(answer), "audio_binary": None}
    prompt = f"You are an assistant.\n### Query\n{question}\n - Generated tokens(approximately): 5"
    data |= {"prompt": prompt, "created_at": 1755055623.6, "id": str(uuid.uuid4()), "session_id": session}
    return ok(data | ({"chat_id": owner} if standin.current else {}))


def _reference(answer: Turn) -> Any:
    """The reference; after a failure of the model some versions send a list in its place."""
    return [] if answer.fault == "error" else answer.chat_reference()


def _last(messages: list[dict[str, Any]] | None) -> str:
    return str(messages[-1]["content"]) if messages else ""


async def _greeting(request: web.Request, session: str) -> web.StreamResponse:
    async with EventWriter(request, space=False) as events:
        data = {"answer": PROLOGUE, "reference": {}, "session_id": session}
        await events.send({"code": 0, "message": "", "data": data})
        await events.send({"code": 0, "data": True})
    return events.response


async def _stream(
    standin: RagflowStandIn, request: web.Request, answer: Turn, session: str
) -> web.StreamResponse:
    """Sends the answer so far with each event up to 0.23, pieces later, and the whole in an event `final` since 0.26."""
    async with EventWriter(request, space=False) as events:
        so_far = ""
        for piece in pieces(answer.answer):
            so_far += piece
            text = so_far if standin.cumulative else piece
            await events.send(
                {"code": 0, "message": "", "data": {"answer": text, "reference": {}, "session_id": session}}
            )
        last = {"answer": so_far if standin.cumulative or standin.current else "", "session_id": session}
        final = {"final": True} if standin.current else {}
        await events.send(
            {"code": 0, "message": "", "data": last | final | {"reference": _reference(answer)}}
        )
        await events.send({"code": 0, "data": True})
    return events.response
