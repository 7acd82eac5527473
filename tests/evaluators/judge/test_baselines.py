"""The outputs of an earlier experiment, found by the items' ids, with a few pages in memory."""

from __future__ import annotations

from typing import Any, cast

import pytest
from msgspec.structs import replace

from evalrpc_server.domain.results import ItemResult
from evalrpc_server.evaluators.judge import baselines
from evalrpc_server.evaluators.judge.baselines import Baseline
from evalrpc_server.store.port import ExperimentStore, ResultPage
from tests.evaluators.cases import document, result


class Pages:
    """A store of results, which notes the cursors that it was asked for."""

    def __init__(self, results: list[ItemResult]) -> None:
        self._results = results
        self.asked: list[str] = []

    async def read_results(self, experiment_id: str, *, limit: int, cursor: str = "", **_: Any) -> ResultPage:
        assert experiment_id == "exp_1"
        self.asked.append(cursor)
        begin = int(cursor or 0)
        end = begin + limit
        return ResultPage(
            results=self._results[begin:end], next_cursor=str(end) if end < len(self._results) else ""
        )


def told(index: int, output: str, *, trial: int = 1) -> ItemResult:
    found = result(index, trial=trial)
    return replace(found, outcome=replace(found.outcome, output=document(output)))


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "_PAGE", 3)
    monkeypatch.setattr(baselines, "_PAGES_KEPT", 2)


async def test_every_output_is_found_and_few_pages_are_kept():
    pages = Pages([told(index, f"output {index}") for index in range(10)])
    baseline = Baseline("exp_1", cast(ExperimentStore, pages))
    for index in (*range(10), 0, 9):
        assert await baseline.output(f"i{index}") == f'"output {index}"'
    assert await baseline.output("i99") is None
    assert pages.asked == ["", "3", "6", "9", "", "3", "6", "9", ""]


async def test_the_first_trial_that_gave_an_output_counts():
    failed = result(0, failed=True)
    results = [failed, told(0, "second", trial=2), told(0, "third", trial=3), told(0, "fourth", trial=4)]
    baseline = Baseline("exp_1", cast(ExperimentStore, Pages(results)))
    assert await baseline.output("i0") == '"second"'
