"""Agents: completions, for which a session is begun where none is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.standins.ragflow import compatible
from tests.standins.ragflow.envelope import FailedError, ok
from tests.standins.ragflow.turns import turn
from tests.standins.served import EventWriter, pieces

if TYPE_CHECKING:
    from tests.standins.ragflow.app import RagflowStandIn


async def complete(standin: RagflowStandIn, body: dict[str, Any], request: web.Request) -> web.StreamResponse:
    """Answers a question; a failure inside the agent is a string in place of the data."""
    if body.get("openai-compatible"):
        return await compatible.complete(standin, body, request)
    owner = request.match_info.get("owner") or body.get("agent_id", "")
    if owner != standin.agent_id:
        raise FailedError(102, f"You don't own the agent {owner}.")
    session = body.get("session_id") or standin.new_session(owner)
    if session not in standin.sessions or standin.sessions[session].owner != owner:
        raise FailedError(102, "Session not found!")
    question = body.get("question") or body.get("query") or ""
    standin.sessions[session].messages.append(question)
    if question == "!agent-broke":
        return ok("**ERROR**: list index out of range")
    answer = turn(question, marks=standin.marks, answers=standin.answers)
    head = {"message_id": "m1", "session_id": session, "task_id": "t1", "created_at": 1755083830}
    if answer.fault == "asks-back":
        tips = {"tips": "Please fill in the form", "inputs": {"country": {"type": "line"}}}
        return ok(head | {"event": "user_inputs", "data": tips})
    if body.get("stream", True):
        return await _stream(request, head, answer.answer)
    reference = {} if answer.fault == "no-reference" else {"reference": answer.agent_reference()}
    data = {"content": answer.answer, "outputs": {"content": answer.answer}, "inputs": body.get("inputs", {})}
    data |= {"elapsed_time": 0.5, **reference}
    return ok(head | {"event": "workflow_finished", "data": data})


async def _stream(request: web.Request, head: dict[str, Any], answer: str) -> web.StreamResponse:
    async with EventWriter(request, space=False) as events:
        for piece in pieces(answer):
            await events.send(head | {"event": "message", "data": {"content": piece}})
        await events.send(head | {"event": "message_end", "data": {}})
        await events.send("[DONE]")
    return events.response
