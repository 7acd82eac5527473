"""The RAGFlow stand-in: what each generation does when it is called wrongly, or as its documentation says."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from tests.standins.ragflow import RagflowStandIn

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def old():
    async with RagflowStandIn(generation="0.21") as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def new():
    async with RagflowStandIn(generation="0.26") as running:
        yield running


async def call(
    standin: RagflowStandIn, method: str, path: str, body: Any = None, *, authorization: str | None = None
) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {standin.key}" if authorization is None else authorization}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.request(method, f"{standin.url}/api/v1{path}", json=body) as response,
    ):
        is_json = response.content_type == "application/json"
        return response.status, await response.json() if is_json else await response.text()


async def test_a_call_without_a_session_loses_its_question(old, new):
    path = "/completions"
    _, answer = await call(old, "POST", f"/chats/{old.chat_id}{path}", {"question": "hello", "stream": False})
    assert answer["data"]["answer"].startswith("It seems you haven't asked")
    _, answer = await call(new, "POST", f"/chats/{new.chat_id}{path}", {"question": "hello", "stream": False})
    assert answer["data"]["answer"] == "Echo: hello [ID:0]"


async def test_a_stream_is_the_default_and_repeats_itself(old):
    _, made = await call(old, "POST", f"/chats/{old.chat_id}/sessions", {"name": "x"})
    body = {"question": "a longer question", "session_id": made["data"]["id"]}
    _, text = await call(old, "POST", f"/chats/{old.chat_id}/completions", body)
    events = [json.loads(line.removeprefix("data:")) for line in text.split("\n\n") if line]
    assert events[-1] == {"code": 0, "data": True}
    assert events[1]["data"]["answer"].startswith(events[0]["data"]["answer"])


@pytest.mark.parametrize(
    ("authorization", "code", "data"),
    [("", 0, False), ("Bearer", 0, False), ("Bearer ragflow-x", 109, False)],
)
async def test_a_wrong_key_is_a_success_of_http(old, authorization, code, data):
    status, answer = await call(
        old, "POST", f"/chats/{old.chat_id}/sessions", {}, authorization=authorization
    )
    assert (status, answer["code"], answer["data"]) == (200, code, data)


async def test_a_wrong_key_is_401_since_0_26(new):
    status, answer = await call(new, "POST", f"/chats/{new.chat_id}/sessions", {}, authorization="Bearer x")
    assert (status, answer["code"]) == (401, 401)


async def test_deleting_without_ids_deletes_everything_up_to_0_25(new):
    async with RagflowStandIn(generation="0.24") as doomed:
        await call(doomed, "DELETE", f"/chats/{doomed.chat_id}/sessions", {"ids": []})
        assert list(doomed.sessions) == ["of-an-agents-user"]
    await call(new, "DELETE", f"/chats/{new.chat_id}/sessions", {})
    assert "of-a-user" in new.sessions


@pytest.mark.parametrize(
    ("flags", "shown"), [({"reference": True}, "old"), ({"extra_body": {"reference": True}}, "new")]
)
async def test_the_flag_for_references_has_moved(old, new, flags, shown):
    for standin, name in ((old, "old"), (new, "new")):
        body = {"model": "model", "stream": False, "messages": [{"role": "user", "content": "hi"}], **flags}
        _, answer = await call(standin, "POST", f"/chats_openai/{standin.chat_id}/chat/completions", body)
        assert ("reference" in answer["choices"][0]["message"]) is (name == shown)


async def test_routes_that_moved_in_0_26(old, new):
    body = {"chat_id": "", "question": "hi", "stream": False}
    status, _ = await call(old, "POST", "/chat/completions", body | {"chat_id": old.chat_id})
    assert status == 404
    _, answer = await call(new, "POST", "/chat/completions", body | {"chat_id": new.chat_id})
    assert answer["data"]["chat_id"] == new.chat_id


async def test_a_body_that_repeats_what_the_path_says_breaks_the_call(old):
    body = {"chat_id": old.chat_id, "question": "hi", "session_id": "of-a-user", "stream": False}
    _, answer = await call(old, "POST", f"/chats/{old.chat_id}/completions", body)
    assert (answer["code"], "multiple values" in answer["message"]) == (100, True)
