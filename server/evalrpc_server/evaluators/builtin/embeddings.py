"""Builtins that compare meanings, by embeddings."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from pydantic import Field

from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.spec.fields import Name
from evalrpc_server.domain.stopwatch import queueing
from evalrpc_server.domain.usage import Usage
from evalrpc_server.evaluators.builtin.params import Comparing, Model
from evalrpc_server.evaluators.builtin.registry import Gives, calling_builtin
from evalrpc_server.evaluators.builtin.subject import Subject, text_of
from evalrpc_server.evaluators.builtin.verdicts import CannotJudge, Unscored, WrongOutput
from evalrpc_server.evaluators.embedding import Embedder, cosine
from evalrpc_server.evaluators.port import Case, EvaluatorError
from evalrpc_server.outbound.outbound import Outbound


class CosineSimilarityParams(Comparing, Model):
    """Parameters of `cosine_similarity`."""

    model: Name = Field(description="The name of the embedding model, such as text-embedding-3-small.")


@calling_builtin("cosine_similarity", CosineSimilarityParams, gives=Gives.NUMBER)
class CosineSimilarity:
    """The cosine similarity of the embeddings of the output and expected_output, from -1 to 1.

    The embeddings come from an OpenAI-compatible API (`POST {base_url}/embeddings`); texts of items that are judged at the
    same time travel in one call. What it takes is counted as the evaluation's own usage. Documents that are not text are
    compared as compact JSON; an empty output is 0.
    """

    def __init__(self, params: CosineSimilarityParams, name: str, outbound: Outbound) -> None:
        self._params = params
        self._name = name
        self._embedder = Embedder(outbound, params.base_url, params.api_key, params.model)

    @property
    def reference(self) -> str:
        """Who judges."""
        return "builtin/cosine_similarity@1"

    async def evaluate(self, case: Case) -> Sequence[Evaluation]:
        """Returns the one evaluation of a case.

        Raises:
            EvaluatorError: the model gave no embeddings.
        """
        try:
            output, expected = self._texts(case)
        except Unscored as reason:
            return [Evaluation(name=self._name, unscored=str(reason))]
        except WrongOutput as wrong:
            return [Evaluation(name=self._name, value=0.0, comment=str(wrong))]
        except CannotJudge as problem:
            error = Error(
                reason=Reason.EVALUATOR_FAILED, message=f"cosine_similarity cannot judge this: {problem}"
            )
            raise EvaluatorError(error) from None
        if output == expected:
            return [Evaluation(name=self._name, value=1.0)]
        with queueing():
            (one, usage), (other, more) = await asyncio.gather(
                self._embedder.embed(output), self._embedder.embed(expected)
            )
        took = Usage(
            input_tokens=_sum(usage.input_tokens, more.input_tokens),
            output_tokens=0,
            model=self._params.model,
        )
        return [Evaluation(name=self._name, value=cosine(one, other), usage=took)]

    async def aclose(self) -> None:
        """Ends the calls that are in flight."""
        await self._embedder.aclose()

    def _texts(self, case: Case) -> tuple[str, str]:
        subject = Subject(case)
        expected = text_of(subject.expected(self._params.expected_path))
        if not expected.strip():
            raise Unscored("expected_output is empty")
        output = text_of(subject.output(self._params.output_path))
        if not output.strip():
            raise WrongOutput("the output is empty")
        return output, expected


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other
