"""Datasets, links and scores in Langfuse, from both clients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from evalrpc import InvalidRequestError, LangfuseDataset, NotFoundError, Score, ScoreDelivery
from tests.servers import Server, serving
from tests.standins.langfuse.remote import RemoteStandIn, launched

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
ITEMS = [
    {"id": f"item-{n}", "input": {"n": 2**60 + n}, "expectedOutput": n or None, "metadata": {"n": n}}
    for n in range(120)
]


@pytest.fixture(scope="module")
def langfuse() -> Iterator[RemoteStandIn]:
    with launched() as made:
        made.load("numbers", ITEMS)
        yield made


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, langfuse: RemoteStandIn) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("data"), env=langfuse.environment) as made:
        yield made


def test_a_dataset_is_read_as_a_stream_exactly(client: Any) -> None:
    dataset = client.get_dataset("numbers")
    assert (dataset.name, dataset.metadata, dataset.create_time is None) == ("numbers", None, False)
    found = {each.id: each for each in client.list_dataset_items("numbers")}
    assert len(found) == len(ITEMS)
    assert found["item-7"].input == {"n": 2**60 + 7}
    assert found["item-7"].input_json == '{"n":1152921504606846983}'
    assert (found["item-7"].expected_output, found["item-7"].metadata) == (7, {"n": 7})
    assert found["item-7"].dataset_id == dataset.id
    some = LangfuseDataset(name="numbers", metadata_equals={"n": 5})
    assert [each.id for each in client.list_dataset_items(some)] == ["item-5"]


def test_a_stream_can_be_left(client: Any) -> None:
    items = client.list_dataset_items("numbers")
    assert next(items).dataset_id == client.get_dataset("numbers").id


def test_what_is_not_there_is_told(client: Any) -> None:
    for ask in (client.get_dataset, lambda name: list(client.list_dataset_items(name))):
        with pytest.raises(NotFoundError) as missing:
            ask("none")
        assert missing.value.reason == "DATASET_NOT_FOUND"


def test_a_trace_is_tied_to_an_item_and_scored(client: Any, langfuse: RemoteStandIn) -> None:
    link = client.link_dataset_item(
        dataset_name="numbers",
        dataset_item_id="item-1",
        run_name="by hand",
        trace_id=TRACE,
        observation_id=SPAN,
        run_metadata={"model": "m"},
    )
    assert link.span_attributes["langfuse.experiment.item.id"] == "item-1"
    assert link.dataset_run_id
    scores = [
        Score(name="accuracy", value=True, trace_id=TRACE, comment="right"),
        Score(name="length", value=3, trace_id=TRACE, observation_id=SPAN, metadata={"by": "hand"}),
        Score(name="tone", value="polite", dataset_run_id=link.dataset_run_id),
    ]
    receipts = client.create_scores(scores, wait=True)
    assert [each.delivery for each in receipts] == [ScoreDelivery.ACCEPTED] * 3
    again = client.create_scores(scores, wait=True)
    assert [each.id for each in again] == [each.id for each in receipts], "the same content is one score"
    kept = {each["id"]: each for each in langfuse.dump()["scores"]}
    first, second, third = (kept[each.id] for each in receipts)
    assert (first["name"], first["value"], first["comment"]) == ("accuracy", 1, "right")
    assert (second["value"], third["name"]) == (3, "tone")


@pytest.mark.parametrize("subject", [{}, {"trace_id": TRACE, "dataset_run_id": "run"}], ids=["none", "two"])
def test_a_score_has_one_subject(client: Any, subject: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError) as wrong:
        client.create_scores([Score(name="x", value=1, **subject)])
    assert wrong.value.violations[0].path == "scores[0]"
