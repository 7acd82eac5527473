"""Scorers of the library autoevals, where the operator installed it."""

from __future__ import annotations

import asyncio
import importlib
import inspect
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import msgspec
from pydantic import Field

from evalrpc_server.domain.documents import Document, document_from_value
from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.stopwatch import queueing
from evalrpc_server.evaluators.builtin.params import Model
from evalrpc_server.evaluators.builtin.registry import Gives, calling_builtin
from evalrpc_server.evaluators.model_calls import model_endpoint, patiently
from evalrpc_server.evaluators.port import Case, EvaluatorError
from evalrpc_server.outbound.endpoint import HttpEndpoint
from evalrpc_server.outbound.outbound import Outbound
from evalrpc_server.targets import chat_completions, vendors

MAX_COMMENT = 1_000

MAX_CELLS = 100_000_000
"""The largest product of the sizes of two documents that a scorer compares by itself, which may take a minute."""

_NOT_THEIRS = frozenset({"client", "api_key", "base_url"})


class AutoevalsParams(Model):
    """Parameters of `autoevals`."""

    scorer: str = Field(
        min_length=1, max_length=100, description="The name of a scorer, such as Factuality or NumericDiff."
    )
    options: dict[str, Any] = Field(
        default_factory=dict, description='What the scorer is made with, such as `{"model": "gpt-4.1"}`.'
    )
    arguments: dict[str, Any] = Field(
        default_factory=dict,
        description="What it is told of every item besides input, output, expected and context, such as `criteria`.",
    )


@calling_builtin("autoevals", AutoevalsParams, gives=Gives.SCORE, extra="autoevals")
class AutoevalsScorer:
    """A scorer of the library autoevals, which the operator has to install beside openai.

    It is told `output`, `expected`, `input`, and `context` where the task gave contexts. A scorer that asks a model asks it
    through this server, with its time limits, patience and policies, and with the key given here, never one of the
    server's environment. A scorer's answers are its own: see its documentation, and prefer the builtin of the same name
    where there is one.
    """

    def __init__(self, params: AutoevalsParams, name: str, outbound: Outbound) -> None:
        self._params = params
        self._name = name
        self._outbound = outbound
        self._scorer: Any = None

    @property
    def reference(self) -> str:
        """Who judges."""
        return "builtin/autoevals@1"

    async def evaluate(self, case: Case) -> Sequence[Evaluation]:
        """Returns the one evaluation of a case.

        Raises:
            EvaluatorError: there is no such scorer, or it failed.
        """
        if self._scorer is None:
            self._scorer = await asyncio.to_thread(self._make)
        with queueing():
            try:
                score = await self._score(self._scorer, case)
            except EvaluatorError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever a foreign scorer raises is this evaluation's error
                if case.item.expected_output is None:
                    return [Evaluation(name=self._name, unscored="the item has no expected_output")]
                raise _failed(f"{type(error).__name__}: {str(error)[:300]}") from None
        if score.score is None:
            return [Evaluation(name=self._name, unscored=f"{self._params.scorer} gave no score")]
        metadata = dict(score.metadata or {})
        comment = metadata.get("rationale")
        return [
            Evaluation(
                name=self._name,
                value=float(score.score),
                comment=comment[:MAX_COMMENT] if isinstance(comment, str) else "",
                metadata=_document(metadata),
            )
        ]

    async def aclose(self) -> None:
        """Holds nothing."""

    async def _score(self, scorer: Any, case: Case) -> Any:
        output = _value(case.output)
        expected = None if case.item.expected_output is None else _value(case.item.expected_output)
        arguments: dict[str, Any] = {"input": _value(case.item.input), **self._params.arguments}
        if case.contexts:
            arguments["context"] = [context.text for context in case.contexts]
        # ValidJSON calls its second parameter a schema, and an expected output is none.
        second = list(inspect.signature(scorer._run_eval_sync).parameters.values())[1:2]  # noqa: SLF001
        told = [expected] if second and second[0].name == "expected" else []
        if hasattr(scorer, "client"):
            return await scorer.eval_async(output, *told, **arguments)
        if told and len(case.output) * len(case.item.expected_output or "") > MAX_CELLS:
            raise _failed("the output and expected_output are too large to compare; use a builtin")
        return await asyncio.to_thread(scorer.eval, output, *told, **arguments)

    def _make(self) -> Any:
        name = self._params.scorer
        library = importlib.import_module("autoevals")
        kind = getattr(library, name, None)
        if not (inspect.isclass(kind) and issubclass(kind, library.Scorer) and not inspect.isabstract(kind)):
            raise _failed(f"it has no scorer {name!r}")
        if taken := sorted(_NOT_THEIRS & self._params.options.keys()):
            raise _failed(f"options must not hold {', '.join(taken)}: give base_url and api_key beside them")
        options = dict(self._params.options)
        try:
            if _asks_models(kind):
                options["client"] = self._client()
            return kind(**options)
        except (ImportError, TypeError, ValueError) as error:
            raise _failed(f"{name} cannot be made: {str(error)[:300]}") from None

    def _client(self) -> Any:
        """Makes what autoevals takes for an asynchronous client of openai."""

        def calls(path: str) -> SimpleNamespace:
            params = self._params
            endpoint = model_endpoint(self._outbound, params.base_url, path, api_key=params.api_key)

            async def create(**body: Any) -> Any:
                return await _ask(endpoint, body)

            return SimpleNamespace(create=create)

        client = SimpleNamespace(
            chat=SimpleNamespace(completions=calls("/chat/completions")),
            responses=calls("/responses"),
            embeddings=calls("/embeddings"),
            moderations=calls("/moderations"),
        )
        return importlib.import_module("autoevals.oai").LLMClient(openai=client, is_async=True)


def _asks_models(kind: type) -> bool:
    makers = (vars(each).get("__init__") for each in kind.__mro__)
    return any("client" in inspect.signature(maker).parameters for maker in makers if callable(maker))


async def _ask(endpoint: HttpEndpoint, body: Mapping[str, Any]) -> Any:
    content = msgspec.json.encode(body)

    async def attempt() -> Any:
        answer = await vendors.ask(endpoint, content)
        chat_completions.raise_for_error(answer)
        return answer.value

    return await patiently(attempt)


def _value(document: Document) -> Any:
    return msgspec.json.decode(document)


def _document(metadata: Mapping[str, Any]) -> Document | None:
    try:
        return document_from_value(metadata) if metadata else None
    except ValueError:
        return None


def _failed(why: str) -> EvaluatorError:
    return EvaluatorError(
        Error(reason=Reason.EVALUATOR_FAILED, message=f"The library autoevals gave no score: {why}.")
    )
