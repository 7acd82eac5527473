"""What the applications answer, as the events of a stream; a blocking answer is put together from the same events.

A query `!name` asks for one of the turns below.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.standins.served import command, pieces

Event = dict[str, Any]
USAGE = {
    "prompt_tokens": 10,
    "completion_tokens": 5,
    "total_tokens": 15,
    "total_price": "0.0001",
    "currency": "USD",
    "latency": 0.7,
}
SOURCE = {
    "position": 1,
    "dataset_id": "d1",
    "dataset_name": "Cities",
    "document_id": "doc1",
    "document_name": "cities.md",
    "segment_id": "seg1",
    "score": 0.98,
    "content": "Paris is the capital of France.",
}
_FOUND = {
    "title": "cities.md",
    "content": SOURCE["content"],
    "metadata": {"score": 0.5, "document_name": "cities.md"},
}

_ERRORS: dict[str, Event] = {
    "error-midway": {"status": 400, "code": "completion_request_error", "message": "LLM 429"},
    "throttled-midway": {"status": 429, "code": "rate_limit_error", "message": "Rate Limit Error"},
}


@dataclass(frozen=True)
class Turn:
    """One call: the application's mode, the question, and the identifiers of what it makes."""

    mode: str
    query: str
    ids: dict[str, str]
    answer: str

    def events(self) -> Iterator[Event]:
        """The whole stream, pings left out."""
        for event in self._events():
            yield event | self.ids

    @property
    def fault(self) -> str:
        """What the query asks to go wrong."""
        return command(self.query)[0]

    def _events(self) -> Iterator[Event]:
        if self.mode == "workflow":
            yield from self._workflow()
            return
        if self.mode == "advanced-chat":
            yield {"event": "workflow_started", "data": {"id": "run1"}}
            yield from self._retrieval()
        kind = "agent_message" if self.mode == "agent-chat" else "message"
        if self.mode == "agent-chat":
            thought = {"event": "agent_thought", "id": "th1", "position": 1, "thought": "I look it up."}
            yield thought | {"tool": "", "tool_input": "", "observation": ""}
            yield thought | {"tool": "search", "tool_input": '{"search": {"q": "x"}}', "observation": "found"}
        for number, piece in enumerate(pieces(self.answer)):
            yield {"event": kind, "answer": piece}
            if number == 0 and self.fault in _ERRORS:
                yield {"event": "error", **_ERRORS[self.fault]}
                return
            if number == 0 and self.fault == "cut":
                return
        if self.fault == "replace":
            yield {"event": "message_replace", "answer": "moderated"}
        if self.mode == "advanced-chat":
            failed = self.fault == "run-failed"
            data = {
                "status": "failed" if failed else "succeeded",
                "error": "node LLM broke" if failed else None,
            }
            yield {"event": "workflow_finished", "workflow_run_id": "run1", "data": {"id": "run1", **data}}
            if failed:
                return
        yield {"event": "message_end", "id": self.ids["message_id"], "metadata": self.metadata()}

    def _retrieval(self) -> Iterator[Event]:
        data = {"node_type": "knowledge-retrieval", "status": "succeeded", "outputs": {"result": [_FOUND]}}
        yield {"event": "node_finished", "data": data}

    def metadata(self) -> dict[str, Any]:
        """What comes with the whole answer."""
        quiet = self.fault == "no-citations"
        return {"usage": USAGE, "retriever_resources": [] if quiet else [SOURCE]}

    def _workflow(self) -> Iterator[Event]:
        run = {"id": "run1", "workflow_id": "wf1"}
        yield {"event": "workflow_started", "workflow_run_id": "run1", "data": run}
        if self.fault == "error-midway":
            yield {"event": "error", "status": 500, "code": "internal_server_error", "message": "it broke"}
            return
        yield {"event": "text_chunk", "data": {"text": self.answer}}
        yield {"event": "workflow_finished", "workflow_run_id": "run1", "data": run | self._result()}

    def _result(self) -> dict[str, Any]:
        outputs: dict[str, Any] = {"text": self.answer}
        status, error = "succeeded", None
        match self.fault:
            case "run-failed":
                outputs, status, error = {}, "failed", "node HTTP Request broke"
            case "stopped":
                outputs, status = {}, "stopped"
            case "paused":
                outputs, status = {}, "paused"
            case "partial":
                status, error = "partial-succeeded", "node Translate broke"
            case "two-outputs":
                outputs = {"text": self.answer, "score": 3}
        return {"status": status, "outputs": outputs, "error": error, "elapsed_time": 0.5, "total_tokens": 15}


def blocking(turn: Turn) -> Event:
    """The answer in blocking mode, or the error event that takes its place."""
    events = list(turn.events())
    if events[-1]["event"] == "error":
        return events[-1]
    if turn.mode == "workflow":
        last = events[-1]
        return {"workflow_run_id": "run1", "task_id": turn.ids["task_id"], "data": last["data"]}
    finished = next((event for event in events if event["event"] == "workflow_finished"), None)
    if finished is not None and finished["data"]["status"] == "failed":
        return {
            "event": "error",
            "status": 400,
            "code": "invalid_param",
            "message": finished["data"]["error"],
        }
    answer = "".join(event["answer"] for event in events if event["event"] in {"message", "agent_message"})
    for event in events:
        if event["event"] == "message_replace":
            answer = event["answer"]
    return turn.ids | {
        "event": "message",
        "id": turn.ids["message_id"],
        "mode": turn.mode,
        "answer": answer,
        "metadata": turn.metadata(),
        "created_at": 1_705_407_629,
    }
