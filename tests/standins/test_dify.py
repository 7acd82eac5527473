"""The Dify stand-in: what the real one is strict about."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from tests.standins.dify import DifyStandIn

pytestmark = pytest.mark.asyncio(loop_scope="module")
GOOD = {"inputs": {}, "query": "hello", "user": "u", "response_mode": "blocking"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def standin():
    async with DifyStandIn(prefix="/service-api") as running:
        yield running


async def post(standin: DifyStandIn, mode: str, call: str, body: dict[str, Any]) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {standin.keys.get(mode, mode)}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{standin.base_url}/{call}", json=body) as response,
    ):
        text = await response.text()
        return response.status, text if response.content_type != "application/json" else await response.json()


async def test_a_blocking_answer(standin):
    status, answer = await post(standin, "chat", "chat-messages", GOOD)
    assert (status, answer["answer"], answer["mode"]) == (200, "Echo: hello", "chat")
    assert answer["metadata"]["retriever_resources"][0]["segment_id"] == "seg1"


async def test_a_stream_with_pings(standin):
    _, text = await post(standin, "chat", "chat-messages", GOOD | {"response_mode": "streaming"})
    assert text.startswith("event: ping\n\ndata: {")
    assert '"message_end"' in text


@pytest.mark.parametrize(
    ("mode", "call", "change", "status", "code"),
    [
        ("app-unknown", "chat-messages", {}, 401, "unauthorized"),
        ("workflow", "chat-messages", {}, 400, "not_chat_app"),
        ("chat", "chat-messages", {"user": None}, 400, "invalid_param"),
        ("chat", "chat-messages", {"inputs": None}, 400, "invalid_param"),
        ("chat", "chat-messages", {"query": None}, 400, "invalid_param"),
        ("chat", "chat-messages", {"conversation_id": "no uuid"}, 400, "invalid_param"),
        ("agent-chat", "chat-messages", {}, 400, "invalid_param"),
        ("chat", "messages", {}, 404, "not_found"),
    ],
)
async def test_refusals(standin, mode, call, change, status, code):
    got, answer = await post(standin, mode, call, GOOD | change)
    assert (got, answer["code"], answer["status"]) == (status, code, status)
