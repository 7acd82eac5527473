"""The OpenAI stand-in, seen by OpenAI's own client."""

from __future__ import annotations

import openai
import pytest
import pytest_asyncio

from tests.standins.openai import OpenAiStandIn

MODEL = "gpt-stand-in"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def standin():
    async with OpenAiStandIn() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(standin):
    async with openai.AsyncOpenAI(base_url=standin.base_url, api_key=standin.key, max_retries=0) as made:
        yield made


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def ask(client: openai.AsyncOpenAI, text: str, **more):
    return await client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": text}], **more
    )


async def test_chat_completions(client):
    answer = await ask(client, "hello", temperature=0)
    assert answer.choices[0].message.content == "Echo: hello"
    assert answer.usage.total_tokens == 16


async def test_tool_calls(client):
    tool = {"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}
    (choice,) = (await ask(client, "hello", tools=[tool])).choices
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", None)
    assert choice.message.tool_calls[0].function.name == "find"


async def test_responses(client):
    answer = await client.responses.create(model=MODEL, input="hello")
    assert answer.output_text == "Echo: hello"
    assert answer.usage.output_tokens == 5


async def test_a_failed_response_is_no_http_error(client):
    answer = await client.responses.create(model=MODEL, input="!failed")
    assert (answer.status, answer.error.code) == ("failed", "server_error")


async def test_a_refusal(client):
    message = (await ask(client, "!refuse")).choices[0].message
    assert message.content is None
    assert message.refusal.startswith("I'm sorry")


@pytest.mark.parametrize(
    ("text", "kind", "code"),
    [
        ("!throttle", openai.RateLimitError, "rate_limit_exceeded"),
        ("!quota", openai.RateLimitError, "insufficient_quota"),
        ("!too-long", openai.BadRequestError, "context_length_exceeded"),
        ("!overloaded", openai.InternalServerError, None),
    ],
)
async def test_errors(client, text, kind, code):
    with pytest.raises(kind) as raised:
        await ask(client, text)
    assert raised.value.code == code


async def test_the_client_gets_through_throttling_by_repeating(client):
    assert (await ask(client.with_options(max_retries=2), "!throttle 1")).choices


async def test_what_the_api_does_not_take(client, standin):
    with pytest.raises(openai.BadRequestError, match="Unrecognized request argument"):
        await ask(client, "hello", extra_body={"question": 1})
    with pytest.raises(openai.NotFoundError, match="does not exist"):
        await client.chat.completions.create(model="other", messages=[{"role": "user", "content": "x"}])
    with pytest.raises(openai.BadRequestError, match="Unsupported parameter"):
        await client.responses.create(model="o-stand-in", input="x", temperature=0)
    with pytest.raises(openai.AuthenticationError):
        await ask(client.with_options(api_key="sk-wrong"), "hello")
