"""Retrieval is judged by ids, in the order in which the task reports its contexts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest

from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.results import Context
from tests.evaluators.cases import case, say

FOUND = [Context(text="", id=name) for name in ("d", "a", "x", "b")]


def score(
    name: str, relevant: Sequence[str] = ("a", "b", "c"), contexts: Sequence[Context] = FOUND, **params: Any
) -> Evaluation:
    return say(name, case("answer", list(relevant), contexts=contexts), **params)


@pytest.mark.parametrize(
    ("name", "params", "expected"),
    [
        ("retrieval_precision", {}, 2 / 4),
        ("retrieval_precision", {"k": 2}, 1 / 2),
        ("retrieval_precision", {"k": 8}, 2 / 8),
        ("retrieval_recall", {}, 2 / 3),
        ("retrieval_recall", {"k": 2}, 1 / 3),
        ("retrieval_mrr", {}, 1 / 2),
        ("retrieval_mrr", {"k": 1}, 0.0),
        (
            "retrieval_ndcg",
            {},
            (1 / math.log2(3) + 1 / math.log2(5)) / (1 + 1 / math.log2(3) + 1 / math.log2(4)),
        ),
        ("retrieval_ndcg", {"k": 2}, (1 / math.log2(3)) / (1 + 1 / math.log2(3))),
    ],
)
def test_scores(name, params, expected):
    assert score(name, **params).value == pytest.approx(expected)


def test_gains_grade_the_relevance():
    perfect = [Context(text="", id=name) for name in "abc"]
    judged = case("answer", {"rel": {"a": 3, "b": 2, "c": 1, "z": 0}}, contexts=perfect)
    assert say("retrieval_ndcg", judged, relevant_path="/rel").value == pytest.approx(1.0)
    assert say("retrieval_recall", judged, relevant_path="/rel").value == 1.0
    reverse = case("answer", {"a": 3, "b": 2, "c": 1}, contexts=perfect[::-1])
    value = say("retrieval_ndcg", reverse).value
    assert value == pytest.approx((1 + 2 / math.log2(3) + 3 / 2) / (3 + 2 / math.log2(3) + 1 / 2))


def test_ids_from_metadata_and_from_the_output():
    judged = case({"sources": [{"id": "a"}, "b"]}, metadata={"relevant": ["a", "b"]})
    params = {"relevant": "metadata", "relevant_path": "/relevant", "retrieved_path": "/sources"}
    assert say("retrieval_recall", judged, **params).value == 1.0
    assert say("retrieval_recall", case("text", metadata={"relevant": ["a"]}), **params).value == 0.0


@pytest.mark.parametrize(
    "name", ["retrieval_precision", "retrieval_recall", "retrieval_mrr", "retrieval_ndcg"]
)
def test_without_contexts_or_relevant_ids_nothing_is_judged(name):
    assert score(name, contexts=[]).unscored == "the task reports no contexts"
    assert score(name, contexts=[Context(text="x")]).unscored == "the contexts have no ids"
    assert score(name, relevant=[]).unscored == "expected_output names no relevant passage"
    assert say(name, case("x", contexts=FOUND)).unscored == "the item has no expected_output"
    assert say(name, case("x", contexts=FOUND), relevant="metadata").unscored == "the item has no metadata"


def test_a_passage_retrieved_twice_counts_once():
    twice = [Context(text="", id=name) for name in "aab"]
    assert score("retrieval_recall", contexts=twice).value == pytest.approx(2 / 3)
    assert score("retrieval_ndcg", relevant=["a", "b"], contexts=twice).value == pytest.approx(1.0)
