"""Applications of which one call is known: strict about what they are sent, and exact in the shape of what they answer.

Each is a handler for `tests.standins.endpoints.Endpoints`. What the product would refuse is refused as the product does;
the question "fail" has the application fail in its own way.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.standins.endpoints import Exchange, Handler, Request

ANSWER = 'It is "Paris".\n'
PASSAGE = "Paris is the capital of France."
KEY = "key-of-the-app-1"


@dataclass(frozen=True)
class Reply:
    """What an application answers."""

    body: str | dict[str, Any] | list[Any]
    status: int = 200
    content_type: str = "application/json"


def _handler(app: Callable[[Request], Reply]) -> Handler:
    async def handle(request: Request, exchange: Exchange) -> None:
        reply = app(request)
        await exchange.answer(reply.body, status=reply.status, content_type=reply.content_type)

    return handle


@_handler
def langserve(request: Request) -> Reply:
    """A chain of create_retrieval_chain, or a chat model for the path /model/invoke."""
    body = _body(request)
    if body is None or "input" not in body or body.keys() - {"input", "config", "kwargs"}:
        detail = [{"loc": ["body", "input"], "msg": "field required", "type": "value_error.missing"}]
        return Reply({"detail": detail}, status=422)
    if body["input"] == "fail":
        return Reply("Internal Server Error", status=500, content_type="text/plain")
    documents = [{"page_content": PASSAGE, "metadata": {"source": "fr.md"}, "id": None, "type": "Document"}]
    output: Any = {"input": body["input"], "context": documents, "answer": ANSWER}
    if request.path == "/model/invoke":
        usage = {"input_tokens": 7, "output_tokens": 5, "total_tokens": 12}
        output = {"content": ANSWER, "type": "ai", "id": "run-1", "tool_calls": [], "usage_metadata": usage}
    return Reply({"output": output, "metadata": {"run_id": "r-1", "feedback_tokens": []}})


@_handler
def langgraph(request: Request) -> Reply:
    """A graph over messages, whose exceptions come with status 200."""
    body = _body(request)
    if request.headers.get("x-api-key") != KEY:
        return Reply({"detail": "Missing authentication headers"}, status=403)
    if body is None or not isinstance(body.get("assistant_id"), str):
        return Reply({"detail": "Invalid request"}, status=422)
    [message] = body["input"]["messages"]
    if message["content"] == "fail":
        return Reply({"__error__": {"error": "ValueError", "message": "no such tool"}})
    usage = {"input_tokens": 7, "output_tokens": 5, "total_tokens": 12}
    answer = {"content": ANSWER, "type": "ai", "id": "m-2", "tool_calls": [], "usage_metadata": usage}
    asked = {"content": message["content"], "type": "human", "id": "m-1"}
    return Reply({"messages": [asked, answer]})


@_handler
def flowise(request: Request) -> Reply:
    """A chatflow that returns its source documents."""
    body = _body(request)
    if request.headers.get("authorization") != f"Bearer {KEY}":
        return Reply({"error": "Unauthorized Access"}, status=401)
    if body is None or not isinstance(body.get("question"), str) or body.get("streaming") is not False:
        problem = {"statusCode": 412, "success": False, "message": "no question", "stack": {}}
        return Reply(problem, status=412)
    if body["question"] == "fail":
        problem = {"statusCode": 500, "success": False, "message": "no such model", "stack": {}}
        return Reply(problem)
    session = body["overrideConfig"]["sessionId"]
    documents = [{"pageContent": PASSAGE, "metadata": {"source": "fr.md", "loc": {"lines": {"from": 1}}}}]
    answer = {"text": ANSWER, "question": body["question"], "chatId": session, "sessionId": session}
    return Reply({**answer, "chatMessageId": "c-1", "sourceDocuments": documents})


@_handler
def langflow(request: Request) -> Reply:
    """A flow from a chat input to a chat output."""
    body = _body(request)
    if request.headers.get("x-api-key") != KEY:
        return Reply({"detail": "Invalid or missing API key"}, status=403)
    if request.query.get("stream") != "false" or body is None or body.get("output_type") != "chat":
        return Reply({"detail": "unexpected"}, status=422)
    failed = body["input_value"] == "fail"
    text = "no such component" if failed else ANSWER
    data = {"text": text, "sender": "Machine", "session_id": body["session_id"], "error": failed}
    message = {"text_key": "text", "data": data, "default_value": "", "text": text}
    output: dict[str, Any] = {
        "results": {"message": message},
        "artifacts": {},
        "outputs": {},
        "messages": [],
        "timedelta": None,
    }
    outputs = [{"inputs": {"input_value": body["input_value"]}, "outputs": [output]}]
    return Reply({"session_id": body["session_id"], "outputs": outputs})


@_handler
def n8n(request: Request) -> Reply:
    """A workflow with an agent as its last node; one that answers at once for the question "fail"."""
    body = _body(request)
    if request.headers.get("x-webhook-key") != KEY:
        return Reply("Authorization data is wrong!", status=403, content_type="text/html; charset=utf-8")
    if body is None or not body.keys() >= {"chatInput", "sessionId"}:
        return Reply({"message": "Error in workflow"}, status=500)
    if body["chatInput"] == "fail":
        return Reply({"message": "Workflow was started"})
    return Reply([{"output": ANSWER}] if body["chatInput"] == "list" else {"output": ANSWER})


@_handler
def ollama(request: Request) -> Reply:
    """A model that streams its answer, with a failure in the middle for the question "fail"."""
    body = _body(request)
    if body is None or body.get("model") != "llama3.2":
        return Reply({"error": 'model "x" not found, try pulling it first'}, status=404)
    [message] = body["messages"]
    lines: list[dict[str, Any]] = [_said("It is "), _said('"Paris".'), _said("\n")]
    if message["content"] == "fail":
        lines = [_said("It is "), {"error": "an error was encountered while running the model"}]
    else:
        counts = {"prompt_eval_count": 7, "eval_count": 5, "total_duration": 10, "eval_duration": 5}
        lines.append({**_said(""), "done": True, "done_reason": "stop", **counts})
    content = "".join(json.dumps(line) + "\n" for line in lines)
    return Reply(content, content_type="application/x-ndjson")


@_handler
def kserve(request: Request) -> Reply:
    """A model of one text and two outputs."""
    body = _body(request)
    [given] = (body or {}).get("inputs", [{}])
    if given.keys() != {"name", "shape", "datatype", "data"} or given["datatype"] != "BYTES":
        return Reply({"error": "unexpected input"}, status=400)
    if given["shape"] != [len(given["data"])] or not isinstance(given["shape"][0], int):
        return Reply({"error": "the shape is not the data's"}, status=400)
    if given["data"] == ["fail"]:
        return Reply({"error": "the model is not ready"}, status=200)
    outputs = [
        {"name": "score", "shape": [1], "datatype": "FP32", "data": [0.9]},
        {"name": "label", "shape": [1], "datatype": "BYTES", "data": [ANSWER]},
    ]
    model = {"model_name": "sentiment", "model_version": "1", "id": (body or {})["id"]}
    return Reply({**model, "outputs": outputs})


def _body(request: Request) -> dict[str, Any] | None:
    if request.method != "POST" or request.headers.get("content-type") != "application/json":
        return None
    body = request.json()
    return body if isinstance(body, dict) else None


def _said(text: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {"model": "llama3.2", "created_at": "2026-01-01T00:00:00Z", "message": message, "done": False}
