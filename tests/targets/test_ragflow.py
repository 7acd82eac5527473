from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from typing import Any

import pytest
import pytest_asyncio

from evalrpc_server.domain.results import Context
from evalrpc_server.domain.spec.tasks import TaskSpec
from evalrpc_server.outbound.outbound import Outbound
from evalrpc_server.targets.ragflow_answers import output_of
from evalrpc_server.targets.registry import open_target
from tests.standins.ragflow import RagflowStandIn
from tests.targets.asking import Asker, make_call, way_out
from tests.targets.resources import resources

pytestmark = pytest.mark.asyncio(loop_scope="module")

GENERATIONS = ("0.21", "0.24", "0.26")
OF_USERS = {"of-a-user", "of-an-agents-user"}
OPENAI = {"route": "RAGFLOW_ROUTE_OPENAI"}
CONTEXTS = (
    Context(text="Paris is the capital of France.", id="c1", source="cities.pdf", score=0.71),
    Context(text="The Seine flows through Paris.", id="c2", source="rivers.pdf", score=0.42),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def outbound():
    async with way_out(KEY=RagflowStandIn.key) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=GENERATIONS)
async def standin(request):
    async with RagflowStandIn(
        generation=request.param, answers={"The capital of France?": "Paris"}
    ) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def old():
    async with RagflowStandIn(generation="0.21") as running:
        yield running


def asker(outbound: Outbound, standin: RagflowStandIn, **spec: Any) -> Asker:
    return Asker(outbound, "ragflow", **{"url": standin.url, "api_key": "${secret:KEY}", **spec})


@pytest.fixture
def chat(outbound, standin):
    return asker(outbound, standin, chat_id=standin.chat_id)


@pytest.fixture
def agent(outbound, standin):
    return asker(outbound, standin, agent_id=standin.agent_id)


@pytest.fixture
def old_chat(outbound, old):
    return asker(outbound, old, chat_id=old.chat_id)


@pytest.fixture
def old_agent(outbound, old):
    return asker(outbound, old, agent_id=old.agent_id)


# ------------------------------------------------------------------------------- in every generation


async def test_a_question_is_asked_in_a_session_of_its_own(chat, standin):
    standin.requests.clear()
    answer = await chat.answer("The capital of France?")
    assert json.loads(answer.output) == "Paris"
    assert answer.contexts == CONTEXTS
    assert answer.usage is None
    sessions = f"/api/v1/chats/{standin.chat_id}/sessions"
    assert standin.paths() == [
        f"POST {sessions}",
        f"POST /api/v1/chats/{standin.chat_id}/completions",
        f"DELETE {sessions}",
    ]
    created, asked, deleted = standin.requests
    session = json.loads(answer.metadata)["session_id"]
    assert created.body == {"name": "evalrpc item 1 2"}
    assert (asked.body["session_id"], asked.body["stream"]) == (session, False)
    assert deleted.body == {"ids": [session]}


async def test_the_sessions_of_users_are_left_alone(chat, agent, standin):
    await chat.answer("a", "b")
    await agent.answer("a")
    assert set(standin.sessions) == OF_USERS


async def test_the_session_of_a_call_that_failed_is_deleted_too(chat, standin):
    await chat.failure("!error TIMEOUT")
    assert set(standin.sessions) == OF_USERS


async def test_the_session_of_a_call_that_is_cut_off_is_deleted_too(chat, standin):
    cut_off = asyncio.create_task(chat.answer("!wait"))
    await asyncio.wait_for(standin.waiting.wait(), 30)
    cut_off.cancel()
    await asyncio.wait([cut_off], timeout=30)
    standin.go_on.set()
    assert cut_off.cancelled()
    assert set(standin.sessions) == OF_USERS


async def test_a_server_that_knows_none_of_the_places(chat, standin):
    error = await chat.error("x", url=f"{standin.url}/elsewhere")
    assert (error.reason, error.metadata["status"], error.metadata["code"]) == (
        "TASK_HTTP_STATUS",
        "404",
        "404",
    )


async def test_an_agent_has_its_chunks_in_an_object(agent, standin):
    inputs = {"country": {"type": "line", "value": "{{input.country}}"}}
    given = {"question": "The capital of France?", "country": "France"}
    answer = await agent.answer(given, agent_inputs=inputs)
    assert json.loads(answer.output) == "Paris"
    assert answer.contexts == CONTEXTS
    asked = next(request.body for request in reversed(standin.requests) if request.method == "POST")
    assert asked["inputs"] == {"country": {"type": "line", "value": "France"}}


@pytest.mark.parametrize("owner", ["chat_id", "agent_id"])
async def test_the_openai_route_shows_contexts_where_both_flags_are_sent(outbound, standin, owner):
    compatible = asker(outbound, standin, **{owner: getattr(standin, owner)}, **OPENAI)
    answer = await compatible.answer("The capital of France?")
    assert json.loads(answer.output) == "Paris"
    assert answer.contexts == CONTEXTS
    assert answer.usage is None  # what it says is characters, or tokens of the last message only


async def test_a_wrong_key_is_a_failure_whatever_the_status(chat, standin):
    error = await chat.error("x", api_key="ragflow-wrong")
    assert error.reason == ("TASK_HTTP_STATUS" if standin.current else "TASK_FAILED")
    error = await chat.error("x", headers={"Authorization": "Bearer"})
    assert error.reason == ("TASK_HTTP_STATUS" if standin.current else "TASK_FAILED")


# ------------------------------------------------------------------------------------- in one generation


async def test_a_full_url_is_used_as_it_is(outbound, old):
    url = f"{old.url}/api/v1/chats/{old.chat_id}/completions"
    given = asker(outbound, old, chat_id=old.chat_id)
    assert await given.output("x", url=url) == "Echo: x"
    assert old.requests[-1].path == f"/api/v1/chats/{old.chat_id}/sessions"


@pytest.mark.parametrize(
    ("owner", "route", "old", "new"),
    [
        ("chat_id", {}, "chats/{}/completions", "chat/completions"),
        ("agent_id", {}, "agents/{}/completions", "agents/chat/completions"),
        ("chat_id", OPENAI, "chats_openai/{}/chat/completions", "openai/{}/chat/completions"),
        ("agent_id", OPENAI, "agents_openai/{}/chat/completions", "agents/chat/completions"),
    ],
)
async def test_a_server_that_knows_only_the_new_places_is_found_there(outbound, owner, route, old, new):
    class Moved(RagflowStandIn):
        def routes(self):
            gone = ("s/{owner}/completions", "s_openai/{owner}/chat/completions")
            return [route for route in super().routes() if not route.path.endswith(gone)]

    async with Moved(generation="0.26") as standin:
        identity = getattr(standin, owner)
        assert await asker(outbound, standin, **{owner: identity}, **route).output("a", "b") == "Echo: b"
        asked = [path.removeprefix("POST /api/v1/") for path in standin.paths() if "completions" in path]
        assert asked == [place.format(identity) for place in (old, new, new)]


async def test_a_full_url_of_a_new_place(outbound):
    async with RagflowStandIn(generation="0.26") as standin:
        url = f"{standin.url}/api/v1/chat/completions"
        assert await asker(outbound, standin, chat_id=standin.chat_id, url=url).output("x") == "Echo: x"
        assert set(standin.sessions) == OF_USERS


async def test_a_given_session_serves_one_trial_at_a_time_and_stays(outbound, old):
    old.sessions["mine"] = type(old.sessions["of-a-user"])(old.chat_id, [])
    spec = {"url": old.url, "api_key": "${secret:KEY}", "chat_id": old.chat_id, "session_id": "mine"}
    target = open_target(TaskSpec.model_validate({"ragflow": spec}), resources(outbound))
    async with aclosing(target):
        await asyncio.gather(*(target.call(make_call(f"q{number}")) for number in range(3)))
    assert sorted(old.sessions["mine"].messages) == ["q0", "q1", "q2"]
    del old.sessions["mine"]


async def test_sessions_may_be_kept(old_chat, old):
    answer = await old_chat.answer("x", keep_sessions=True, user_id="u")
    assert old.sessions.pop(json.loads(answer.metadata)["session_id"]).user_id == "u"


@pytest.mark.parametrize(
    ("code", "reason", "retryable"),
    [
        ("TIMEOUT", "TASK_FAILED", True),
        ("SERVER_ERROR", "TASK_FAILED", True),
        ("CONNECTION_ERROR", "TASK_FAILED", True),
        ("AUTH_ERROR", "TASK_FAILED", False),
        ("MODEL_ERROR", "TASK_FAILED", False),
        ("CONTENT_FILTERED", "TASK_REFUSED", False),
        ("QUOTA_EXCEEDED", "TASK_QUOTA_EXHAUSTED", False),
    ],
)
async def test_a_failed_model_stands_in_the_place_of_the_answer(old_chat, code, reason, retryable):
    error = await old_chat.error(f"!error {code}")
    assert (error.reason, error.retryable, error.metadata["code"]) == (reason, retryable, code)


async def test_a_throttled_model_slows_down_too(old):
    async with way_out() as outbound:
        chat = asker(outbound, old, chat_id=old.chat_id, api_key=old.key, keep_sessions=True)
        error = await chat.error("!error RATE_LIMIT_EXCEEDED")
        assert (error.reason, error.retryable) == ("TASK_FAILED", True)
        assert chat.slowed


async def test_an_answer_may_speak_of_errors(old_chat):
    assert "**ERROR**" in await old_chat.output("!about-errors")


async def test_a_key_that_the_provider_refused(old_chat):
    assert (await old_chat.error("!bad-provider-key")).metadata["code"] == "AUTH_ERROR"


@pytest.mark.parametrize(
    ("question", "spec", "code"), [("!exception", {}, "100"), ("x", {"chat_id": "0" * 32}, "102")]
)
async def test_codes_other_than_0_with_status_200(old_chat, question, spec, code):
    error = await old_chat.error(question, **spec)
    assert (error.reason, error.metadata["code"]) == ("TASK_FAILED", code)


async def test_a_required_variable_that_is_missing(outbound):
    async with RagflowStandIn(generation="0.24", required=("city",)) as standin:
        error = await asker(outbound, standin, chat_id=standin.chat_id).error("x")
    assert "Miss parameter: city" in error.message


async def test_an_agent_that_broke_answers_a_string(old_agent):
    error = await old_agent.error("!agent-broke")
    assert (error.reason, error.retryable) == ("TASK_FAILED", False)
    assert "list index out of range" in error.message


async def test_an_agent_that_asks_back_has_no_answer(old_agent, old):
    before = set(old.sessions)
    assert (await old_agent.error("!asks-back")).metadata["code"] == "user_inputs"
    assert set(old.sessions) == before


async def test_no_contexts_where_nothing_was_retrieved_or_quotes_are_off(old_chat, old_agent, old):
    assert (await old_chat.answer("!nothing-found")).contexts == ()
    assert (await old_agent.answer("!no-reference")).contexts == ()
    old.quote = False
    assert (await old_chat.answer("x")).contexts == ()
    old.quote = True


async def test_marks_and_thinking_are_cut_out_unless_they_are_wanted(old_chat):
    assert await old_chat.output("!think") == "Paris."
    kept = await old_chat.output("!think", keep_citations=True, keep_thinking=True)
    assert kept == "<think>Let me see.\nHm.</think>\nParis[ID:0]."


async def test_an_answer_of_the_openai_route_in_an_envelope(outbound, old):
    compatible = asker(outbound, old, chat_id=old.chat_id, **OPENAI)
    assert await compatible.output("!in-an-envelope") == "Echo: !in-an-envelope"
    assert (await compatible.error("x", chat_id="0" * 32)).metadata["code"] == "102"


async def test_a_session_that_cannot_be_deleted_costs_no_item(outbound, caplog):
    class Clinging(RagflowStandIn):
        def routes(self):
            return [route for route in super().routes() if route.method != "DELETE"]

    async with Clinging(generation="0.21") as standin:
        assert await asker(outbound, standin, chat_id=standin.chat_id).output("x") == "Echo: x"
    assert "a session was left behind" in caplog.text


@pytest.mark.parametrize(
    ("text", "output"),
    [
        ("Paris [ID:0].", "Paris."),
        ("Paris[ID: 1][ID:2] is big", "Paris is big"),
        ("Paris [ID:0, ID:3].", "Paris."),
        ("Paris ##0$$ and ##12$$.", "Paris and."),
        ("<think>a\nb</think>\n\nParis", "Paris"),
        ("It says <think>x</think>", "It says <think>x</think>"),
        ("<think>unfinished", "<think>unfinished"),
        ("ID:0 ##x$$ [1]", "ID:0 ##x$$ [1]"),
    ],
)
async def test_what_is_cut_out(text, output):
    assert output_of(text, keep_citations=False, keep_thinking=False) == output


async def test_cutting_takes_time_in_proportion_to_the_answer():
    spaces = " " * 200_000
    assert output_of(f"{spaces}x", keep_citations=False, keep_thinking=False) == f"{spaces}x"
