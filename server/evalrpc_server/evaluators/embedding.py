"""Embeddings of texts, many to a call: texts that are wanted at about the same time travel together."""

from __future__ import annotations

import asyncio
import json
import math
import operator
from collections.abc import Sequence

from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.usage import Usage
from evalrpc_server.evaluators.model_calls import model_endpoint, patiently
from evalrpc_server.evaluators.port import EvaluatorError
from evalrpc_server.outbound.outbound import Outbound
from evalrpc_server.targets import chat_completions, vendors
from evalrpc_server.targets.json_paths import at, count_at
from evalrpc_server.targets.vendors import Answer

Vector = tuple[float, ...]

MAX_TEXTS = 64
"""The most texts in a call."""

MAX_CHARACTERS = 200_000
"""The most characters in a call of more than one text; OpenAI takes 300,000 tokens."""

INTERVAL = 0.005
"""Seconds that a text waits for others."""


class Embedder:
    """Asks one model for embeddings. Equal texts that wait together are sent once.

    Args:
        outbound: the way to the model.
        base_url: of an OpenAI-compatible API.
        api_key: may hold a secret by reference; empty for none.
        model: its name.
    """

    def __init__(self, outbound: Outbound, base_url: str, api_key: str, model: str) -> None:
        self._endpoint = model_endpoint(outbound, base_url, "/embeddings", api_key=api_key)
        self._model = model
        self._waiting: dict[str, asyncio.Future[tuple[Vector, Usage]]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._calls: set[asyncio.Task[None]] = set()

    async def embed(self, text: str) -> tuple[Vector, Usage]:
        """Returns the embedding of a text that is not empty, and the text's share of what its call took.

        Raises:
            EvaluatorError: there is none.
        """
        loop = asyncio.get_running_loop()
        waiter = self._waiting.get(text)
        if waiter is None:
            waiter = self._waiting[text] = loop.create_future()
            if len(self._waiting) >= MAX_TEXTS:
                self._send()
            elif self._timer is None:
                self._timer = loop.call_later(INTERVAL, self._send)
        return await asyncio.shield(waiter)

    async def aclose(self) -> None:
        """Ends all calls."""
        if self._timer is not None:
            self._timer.cancel()
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

    def _send(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting, self._waiting = self._waiting, {}
        for texts in _batches(list(waiting)):
            call = asyncio.create_task(self._call({text: waiting[text] for text in texts}))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)

    async def _call(self, waiters: dict[str, asyncio.Future[tuple[Vector, Usage]]]) -> None:
        texts = list(waiters)
        body = {"model": self._model, "input": texts, "encoding_format": "float"}
        content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")

        async def attempt() -> tuple[list[Vector], Usage]:
            answer = await vendors.ask(self._endpoint, content)
            chat_completions.raise_for_error(answer)
            return _vectors(answer, len(texts)), _share(answer, len(texts))

        try:
            vectors, usage = await patiently(attempt)
        except (EvaluatorError, asyncio.CancelledError) as failure:
            error = failure if isinstance(failure, EvaluatorError) else _failed("the evaluator was closed")
            for waiter in waiters.values():
                if not waiter.done():
                    waiter.set_exception(error)
                    waiter.exception()  # whoever waited may be gone
            return
        for waiter, vector in zip(waiters.values(), vectors, strict=True):
            if not waiter.done():
                waiter.set_result((vector, usage))


def cosine(a: Vector, b: Vector) -> float:
    """Returns the cosine of the angle between two vectors, from -1 to 1.

    Raises:
        EvaluatorError: they differ in length, or one has none.
    """
    if len(a) != len(b):
        raise _failed(f"its embeddings have {len(a)} and {len(b)} dimensions")
    length = math.hypot(*a) * math.hypot(*b)
    if not length or not math.isfinite(length):
        raise _failed("an embedding is zero or not finite")
    product: float = sum(map(operator.mul, a, b))
    return max(-1.0, min(1.0, product / length))


def _batches(texts: Sequence[str]) -> list[list[str]]:
    batches: list[list[str]] = []
    size = 0
    for text in texts:
        if not batches or size + len(text) > MAX_CHARACTERS:
            batches.append([])
            size = 0
        batches[-1].append(text)
        size += len(text)
    return batches


def _vectors(answer: Answer, count: int) -> list[Vector]:
    entries = at(answer.value, "data")
    if not isinstance(entries, list) or len(entries) != count:
        raise vendors.invalid_answer(answer.endpoint, "data", f"must hold {count} embeddings")
    if all(isinstance(at(entry, "index"), int) for entry in entries):
        entries = sorted(entries, key=lambda entry: int(entry["index"]))
    return [_vector(answer, entry, number) for number, entry in enumerate(entries)]


def _vector(answer: Answer, entry: JsonValue, number: int) -> Vector:
    values = at(entry, "embedding")
    if not isinstance(values, list) or not all(type(each) in {int, float} for each in values):
        raise vendors.invalid_answer(
            answer.endpoint, f"data[{number}].embedding", "must be a list of numbers"
        )
    return tuple(float(each) for each in values)


def _share(answer: Answer, count: int) -> Usage:
    tokens = count_at(answer.value, "usage", "prompt_tokens")
    return Usage(input_tokens=None if tokens is None else round(tokens / count), output_tokens=0)


def _failed(why: str) -> EvaluatorError:
    return EvaluatorError(
        Error(reason=Reason.EVALUATOR_FAILED, message=f"The texts cannot be compared: {why}.")
    )
