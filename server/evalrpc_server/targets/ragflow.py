"""A task that is a chat assistant or an agent of RAGFlow or PowerRAG, from 0.17 on.

https://ragflow.io/docs/dev/http_api_reference
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from functools import partial

from evalrpc_server.domain.documents import Document, JsonValue
from evalrpc_server.domain.spec.llm_tasks import RagflowRoute, RagflowTask
from evalrpc_server.domain.templates import JsonTemplate, TemplateError
from evalrpc_server.outbound.failures import TASK_REASONS, CallFailedError
from evalrpc_server.outbound.outbound import Outbound
from evalrpc_server.targets.json_paths import text_at
from evalrpc_server.targets.port import TaskAnswer, TaskCall, TaskError
from evalrpc_server.targets.questions import Question
from evalrpc_server.targets.ragflow_answers import (
    agent_answer,
    chat_answer,
    compatible_answer,
    contexts_of,
    output_of,
)
from evalrpc_server.targets.ragflow_routes import open_places, sessions_url
from evalrpc_server.targets.ragflow_sessions import Sessions
from evalrpc_server.targets.templates import ItemScope, item_value, template_failed
from evalrpc_server.targets.vendors import (
    Answer,
    output_document,
    said_about_itself,
    trace_headers,
    vendor_endpoint,
)


class RagflowTarget:
    """Puts each trial's question to the assistant or agent in a session of its own, which is deleted afterwards.

    An assistant's session is created first: up to 0.25 the server drops the question of a call without one. An agent begins
    its own. Answers are always asked for whole: the events of a stream hold the text so far in some versions, and the next
    piece of it in others. RAGFlow tells no usage.
    """

    def __init__(self, spec: RagflowTask, outbound: Outbound) -> None:
        endpoint = partial(vendor_endpoint, outbound, api_key=spec.api_key, headers=spec.headers)
        self._spec = spec
        self._places = open_places(spec, endpoint)
        self._sessions = Sessions(endpoint(sessions_url(spec)))
        self._question = Question(spec.question, field="ragflow.question")
        self._agent_inputs = JsonTemplate(spec.agent_inputs) if spec.agent_inputs else None
        self._scope = ItemScope()
        self._shared_session = asyncio.Lock()

    async def call(self, call: TaskCall) -> TaskAnswer:
        """Runs the task once.

        Raises:
            TaskError: the application gave no usable output.
        """
        scope = self._scope.of(call)
        question = self._question.of(scope)
        try:
            if self._spec.route is RagflowRoute.OPENAI:
                return await self._ask_compatible(call, question)
            if self._spec.chat_id:
                return await self._ask_assistant(call, question)
            return await self._ask_agent(call, question, scope)
        except CallFailedError as failure:
            error = failure.as_error("task", TASK_REASONS)
            raise TaskError(error, retry_after=failure.retry_after) from None

    async def aclose(self) -> None:
        """Waits for sessions to be deleted."""
        await self._sessions.aclose()

    async def _ask_assistant(self, call: TaskCall, question: str) -> TaskAnswer:
        async with self._session(call) as session:
            answer = await self._ask(call, {"question": question, "session_id": session, "stream": False})
            return self._answer(answer, *chat_answer(answer))

    async def _ask_agent(self, call: TaskCall, question: str, scope: dict[str, Document]) -> TaskAnswer:
        body: dict[str, JsonValue] = {
            "question": question,
            "query": question,  # its name since 0.20
            "inputs": self._inputs(scope),
            "stream": False,
        }
        if self._spec.user_id:
            body["user_id"] = self._spec.user_id
        if self._spec.session_id:
            async with self._shared_session:
                answer = await self._ask(call, body | {"session_id": self._spec.session_id})
        else:
            answer = await self._ask(call, body)
            if not self._spec.keep_sessions:
                await self._sessions.delete(text_at(answer.value, "data", "session_id"))
        return self._answer(answer, *agent_answer(answer))

    async def _ask_compatible(self, call: TaskCall, question: str) -> TaskAnswer:
        body: dict[str, JsonValue] = {
            "model": "model",  # any other name is looked up among the tenant's models
            "messages": [{"role": "user", "content": question}],
            "stream": False,
            "reference": True,  # read up to 0.22
            "extra_body": {"reference": True},  # read since 0.23
        }
        answer = await self._ask(call, body)
        return self._answer(answer, *compatible_answer(answer))

    async def _ask(self, call: TaskCall, body: dict[str, JsonValue]) -> Answer:
        return await self._places.ask(body, headers=trace_headers(call))

    @contextlib.asynccontextmanager
    async def _session(self, call: TaskCall) -> AsyncGenerator[str]:
        """Gives the session of one trial: the shared one, which is used by one at a time, or a fresh one."""
        if self._spec.session_id:
            async with self._shared_session:
                yield self._spec.session_id
            return
        name = f"evalrpc {call.item.id} {call.trial}"
        session = await self._sessions.create(name, self._spec.user_id, trace_headers(call))
        try:
            yield session
        finally:
            if not self._spec.keep_sessions:
                await self._sessions.delete(session)

    def _inputs(self, scope: dict[str, Document]) -> JsonValue:
        if self._agent_inputs is None:
            return {}
        try:
            rendered = self._agent_inputs.render(scope)
        except TemplateError as error:
            raise template_failed(error, "ragflow.agent_inputs") from None
        return item_value(rendered, "ragflow.agent_inputs")

    def _answer(self, answer: Answer, text: str, reference: JsonValue) -> TaskAnswer:
        output = output_of(
            text, keep_citations=self._spec.keep_citations, keep_thinking=self._spec.keep_thinking
        )
        return TaskAnswer(
            output=output_document(answer.endpoint, output),
            contexts=contexts_of(reference),
            metadata=said_about_itself(
                session_id=text_at(answer.value, "data", "session_id"),
                message_id=text_at(answer.value, "data", "id") or text_at(answer.value, "data", "message_id"),
            ),
        )
