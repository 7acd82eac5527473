"""What the client calls as the Langfuse SDK does, beyond what the migration guide's examples show."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from evalrpc import (
    AsyncClient,
    Client,
    DatasetItem,
    Evaluation,
    InvalidRequestError,
    NotFoundError,
    RegressionError,
    RunnerContext,
    get_client,
)
from evalrpc.testing import assert_passes
from tests.servers import Server, serving
from tests.standins.langfuse.remote import launched

ITEMS = [{"id": f"item-{n}", "input": n, "expectedOutput": n * n} for n in range(5)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with launched() as langfuse:
        langfuse.load("squares", ITEMS)
        with serving(tmp_path_factory.mktemp("data"), env=langfuse.environment) as made:
            yield made


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server.grpc) as made:
        yield made


def square(*, item: Any) -> int:
    return int(item["input"]) ** 2


def test_a_part_of_a_dataset_stays_a_part_of_it(client: Client) -> None:
    dataset = client.get_dataset("squares")
    result = client.run_experiment(name="Part", data=dataset.items[1:3], task=square)
    assert {each.item.dataset_item_id for each in result.item_results} == {"item-1", "item-2"}
    assert {each.item["expected_output"] for each in result.item_results} == {1, 4}
    assert result.experiment.langfuse is not None


def test_items_of_several_datasets_or_none_do_not_mix(client: Client) -> None:
    item, *_ = client.get_dataset("squares").items
    other = DatasetItem(id="x", dataset_id="y", dataset_name="other")
    mixes: list[list[Any]] = [[item, other], [item, {"input": 1}]]
    for data in mixes:
        with pytest.raises(TypeError, match="items of one dataset"):
            client.run_experiment(name="Mixed", data=data, task=square)
    with pytest.raises(TypeError, match="as a list"):
        client.run_experiment(name="Generated", data=iter([item]), task=square)


def test_a_dataset_has_versions(client: Client) -> None:
    dataset = client.get_dataset("squares", version=datetime(2020, 1, 1, tzinfo=UTC))
    assert dataset.items == []
    with pytest.raises(NotFoundError, match="no active items as of 2020-01-01"):
        dataset.run_experiment(name="Before", task=square)


async def test_datasets_are_awaited_by_the_async_client(server: Server) -> None:
    async with AsyncClient(server.grpc) as client:
        dataset = await client.get_dataset("squares")
        items = [item async for item in dataset.items()]
        assert sorted(item["input"] for item in items) == [0, 1, 2, 3, 4]
        whole = await dataset.run_experiment(name="Whole", task=square)
        part = await client.run_experiment(name="Part", data=items[:2], task=square)
        assert (len(whole.item_results), len(part.item_results)) == (5, 2)


def test_a_process_has_a_client(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVALRPC_ADDRESS", server.grpc)
    with get_client() as client:
        assert get_client() is client
        assert client.get_dataset("squares").name == "squares"
    assert get_client() is not client
    get_client().close()


def test_a_context_brings_defaults(client: Client) -> None:
    context = RunnerContext(client=client, data=[{"input": 2}], metadata={"sha": "abc", "model": "old"})
    result = context.run_experiment(name="Gate", task=square, metadata={"model": "new"})
    assert result.experiment.metadata == {"sha": "abc", "model": "new"}
    assert context.run_experiment(name="Own", data=[{"input": 3}], task=square).item_results[0].output == 9
    with pytest.raises(ValueError, match="give data"):
        RunnerContext(client=client).run_experiment(name="None", task=square)
    error = RegressionError(result=result, metric="accuracy", value=0.5, threshold=0.8)
    assert str(error) == "accuracy is 0.5, and the threshold is 0.8"


def test_what_does_not_pass_is_told_with_the_items_to_blame(client: Client) -> None:
    def task(*, item: Any) -> int:
        return 1 // int(item["input"])

    def judge(*, output: int) -> list[Evaluation]:
        return [Evaluation("score", float(output), comment="as it is"), Evaluation("tone", "flat")]

    data = [{"id": f"n{n}", "input": n} for n in (0, 1, 2)]
    result = client.run_experiment(name="Judged", data=data, task=task, evaluators=[judge])
    assert_passes(result, {"score": "> 0.4", "failed": "== 1"}, max_failed_items=1)
    with pytest.raises(AssertionError) as failure:
        assert_passes(result, {"score": 0.9, "tone": 1})
    assert str(failure.value) == (
        "the experiment does not pass:\n"
        "  ✗ 1 items failed; at most 0 may\n"
        "  ✗ score >= 0.9: score is 0.5\n"
        "  ✗ tone >= 1: there is no value of tone\n"
        "\n"
        "Items that failed or scored low (2):\n"
        "  1. n0\n"
        "     input:    0\n"
        "     error:    TASK_FAILED: ZeroDivisionError: integer division or modulo by zero\n"
        "  3. n2\n"
        "     input:    2\n"
        "     output:   0\n"
        "     score: 0.000 (as it is)\n"
        "     tone: flat"
    )
    with pytest.raises(ValueError, match="is no threshold"):
        assert_passes(result, {"score": "about 1"})


def test_what_the_guide_says_differs_does(client: Client) -> None:
    with pytest.raises(InvalidRequestError):
        client.run_experiment(name="None at once", data=[{"input": 1}], task=square, max_concurrency=0)
    with pytest.raises(InvalidRequestError):
        client.run_experiment(name="No data", data=[], task=square)

    met = threading.Barrier(2)

    def both_at_once(*, item: Any) -> bool:
        met.wait(30)
        return item["input"] is not None

    def judge() -> Evaluation:
        return Evaluation(name="nothing", value=None)

    result = client.run_experiment(
        name="Different", data=[{"input": 1}, {"input": 1}], task=both_at_once, evaluators=[judge]
    )
    first, second = result.item_results
    assert first.item.id != second.item.id
    assert first.output is True
    assert first.evaluations[0].unscored is not None
    recorded = result.experiment.langfuse
    assert recorded is not None
    assert recorded.experiment_id != result.experiment_id
