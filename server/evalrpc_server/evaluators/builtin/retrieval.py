"""Builtins that judge what a task retrieved, by the ids of the passages."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field

from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.evaluators.builtin.params import AS_WHOLE, Params, Pointer
from evalrpc_server.evaluators.builtin.registry import Gives, item_builtin
from evalrpc_server.evaluators.builtin.subject import Subject, kind_of
from evalrpc_server.evaluators.builtin.verdicts import Scored, Unscored, Verdict, WrongOutput


class RetrievalParams(Params):
    """Parameters that the retrieval builtins share."""

    relevant: Literal["expected_output", "metadata"] = Field(
        default="expected_output", description="Where the ids of the relevant passages stand."
    )
    relevant_path: Pointer = Field(
        default="",
        description=(
            "JSON pointer to them there, such as /relevant_ids: a list of ids, or an object with the gain of each id."
        ),
    )
    retrieved_path: Pointer | None = Field(
        default=None,
        description="JSON pointer to a list of ids in the output; default: the ids of the contexts that the task reports.",
    )
    k: Annotated[int, Field(ge=1, le=10_000), AS_WHOLE] | None = Field(
        default=None, description="Look only at the first k; default: at all."
    )


@item_builtin(RetrievalParams, gives=Gives.SCORE)
def retrieval_precision(params: RetrievalParams, subject: Subject) -> Verdict:
    """The share of the retrieved passages that are relevant; with `k`, precision at k: of the first k places.

    An item is unscored where the task reports no contexts or no passage is known to be relevant.
    """
    retrieved, gains = _ids(params, subject)
    hits = _hits(retrieved, gains)
    places = params.k or len(retrieved)
    return Scored(hits / places if places else 0.0, f"{hits} of {places} relevant")


@item_builtin(RetrievalParams, gives=Gives.SCORE)
def retrieval_recall(params: RetrievalParams, subject: Subject) -> Verdict:
    """The share of the relevant passages that were retrieved; with `k`, within the first k places.

    An item is unscored where the task reports no contexts or no passage is known to be relevant.
    """
    retrieved, gains = _ids(params, subject)
    hits = _hits(retrieved, gains)
    return Scored(hits / len(gains), f"{hits} of {len(gains)} found")


@item_builtin(RetrievalParams, gives=Gives.SCORE)
def retrieval_mrr(params: RetrievalParams, subject: Subject) -> Verdict:
    """The reciprocal rank of the first relevant passage: 1 for the first place, 1/2 for the second, 0 for none.

    Its mean over a run is the mean reciprocal rank (MRR). An item is unscored where the task reports no contexts or no
    passage is known to be relevant.
    """
    retrieved, gains = _ids(params, subject)
    rank = next((rank for rank, passage in enumerate(retrieved, 1) if passage in gains), None)
    return Scored(1 / rank, f"first at rank {rank}") if rank else Scored(0.0, "no relevant passage")


@item_builtin(RetrievalParams, gives=Gives.SCORE)
def retrieval_ndcg(params: RetrievalParams, subject: Subject) -> Verdict:
    """The nDCG, the normalised discounted cumulative gain of the retrieved passages (Järvelin and Kekäläinen 2002).

    The gain of a passage is 1, or what the object of gains says; at rank r it counts gain / log2(r + 1), over what the best
    possible order would reach. An item is unscored where the task reports no contexts or no passage is relevant.
    """
    retrieved, gains = _ids(params, subject)
    found = _discounted([gains.get(passage, 0.0) for passage in dict.fromkeys(retrieved)])
    ideal = _discounted(sorted(gains.values(), reverse=True)[: params.k])
    return min(1.0, found / ideal)


def _ids(params: RetrievalParams, subject: Subject) -> tuple[list[str], dict[str, float]]:
    """Returns the ids that were retrieved, the best first, and the relevant ones with their gains above 0."""
    gains = _gains(params, subject)
    if params.retrieved_path is not None:
        value = subject.output(params.retrieved_path)
        if not isinstance(value, list):
            raise WrongOutput(
                f"the output has {kind_of(value)} at {params.retrieved_path or 'its root'}, not a list of ids"
            )
        retrieved = [_id(element) for element in value]
    else:
        retrieved = [context.id for context in subject.case.contexts if context.id]
        if not retrieved:
            raise Unscored(
                "the contexts have no ids" if subject.case.contexts else "the task reports no contexts"
            )
    return retrieved[: params.k], gains


def _gains(params: RetrievalParams, subject: Subject) -> dict[str, float]:
    if params.relevant == "metadata":
        value = subject.metadata(params.relevant_path)
    else:
        value = subject.expected(params.relevant_path)
    where = f"{params.relevant}{params.relevant_path}"
    if isinstance(value, list):
        gains = {_id(element): 1.0 for element in value}
    elif isinstance(value, dict) and all(_is_gain(gain) for gain in value.values()):
        gains = {passage: float(gain) for passage, gain in value.items() if gain > 0}
    elif isinstance(value, str):
        gains = {value: 1.0}
    else:
        raise Unscored(f"{where} is {kind_of(value)}, neither a list of ids nor an object of gains")
    if not gains:
        raise Unscored(f"{where} names no relevant passage")
    return gains


def _id(value: JsonValue) -> str:
    if isinstance(value, dict) and "id" in value:
        value = value["id"]
    return value if isinstance(value, str) else str(value)


def _is_gain(value: JsonValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


def _hits(retrieved: list[str], gains: dict[str, float]) -> int:
    return len(gains.keys() & set(retrieved))


def _discounted(gains: list[float]) -> float:
    return math.fsum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1))
