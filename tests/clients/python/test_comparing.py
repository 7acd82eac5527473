"""Gates, comparisons and plans: from both clients, pytest and the command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from evalrpc import (
    AsyncClient,
    Client,
    Comparison,
    ExperimentResult,
    InvalidRequestError,
    NotFoundError,
    Variances,
    Verdict,
    builtin,
)
from evalrpc.cli.gates import parse_gate
from evalrpc.testing import assert_passes
from tests.clients.python.application import Application
from tests.servers import Server

COMMAND = (sys.executable, "-m", "evalrpc")


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server.grpc) as made:
        yield made


def items(count: int, right: int) -> list[dict[str, Any]]:
    """Items of an application that echoes: so many of them are right."""
    return [
        {"id": f"i{number}", "input": f"{number}", "expected_output": f"{number if number < right else '?'}"}
        for number in range(count)
    ]


def run(client: Client, app: Application, right: int, **fields: Any) -> ExperimentResult:
    accuracy = builtin("exact_match", name="accuracy")
    data = items(40, right)
    return client.run_experiment(name="Quiz", data=data, task=app.task, evaluators=[accuracy], **fields)


def at_least(value: float) -> dict[str, Any]:
    return {"evaluation": "accuracy", "threshold": {"value": value}}


def test_a_gate_passes_above_its_bound_and_fails_below(client: Client, app: Application) -> None:
    good = run(client, app, 36, gates=[at_least(0.8)])
    assert_passes(good)
    assert [(gate.name, gate.passed, gate.value) for gate in good.experiment.gates] == [
        ("accuracy mean >= 0.8", True, 0.9)
    ]
    (summary,) = good.experiment.summaries
    assert summary.interval is not None
    assert summary.interval[0] < 0.8
    assert summary.interval[1] > 0.9

    poor = run(client, app, 28, gates=[at_least(0.8)])
    with pytest.raises(AssertionError, match=r"gate accuracy mean >= 0\.8: the mean of accuracy is 0\.7"):
        assert_passes(poor)

    baseline = {"evaluation": "accuracy", "baseline": {"experiment": {"id": good.experiment_id}}}
    held = run(client, app, 10, gates=[baseline])
    (gate,) = held.experiment.gates
    assert (gate.passed, gate.verdict) == (False, Verdict.REGRESSED)
    with pytest.raises(AssertionError, match="REGRESSED"):
        assert_passes(held)


async def test_runs_are_compared_and_planned(server: Server, client: Client, app: Application) -> None:
    first, second = run(client, app, 36), run(client, app, 12)
    (comparison,) = client.compare(first.experiment, second.experiment_id, margin=0.02, max_flips=3)
    check_comparison(comparison, first, second)
    async with AsyncClient(server.grpc) as asynchronous:
        (same,) = await asynchronous.compare(first.experiment_id, second.experiment, margin=0.02, max_flips=3)
        assert same == comparison
        plans = await asynchronous.plan(0.03, variances=Variances(1 / 9, 1 / 6, 1 / 6), trials=[1, 5, 10])
    assert [(each.trials, each.items, each.task_calls) for each in plans.plans] == [
        (1, 3876, 3876),
        (5, 1551, 7755),
        (10, 1260, 12600),
    ]
    measured = client.plan(
        0.1,
        experiment_id=first.experiment_id,
        evaluation="accuracy",
        candidate_id=second.experiment_id,
    )
    assert [each.trials for each in measured.plans] == [1, 2, 3, 5, 10]
    assert measured.variances.between_items == pytest.approx(0.2461538)
    with pytest.raises(NotFoundError):
        client.compare(first.experiment, "exp_none")
    with pytest.raises(InvalidRequestError):
        client.compare(first.experiment)
    with pytest.raises(ValueError, match="either experiment_id"):
        client.plan(0.1)


def check_comparison(comparison: Comparison, first: ExperimentResult, second: ExperimentResult) -> None:
    assert (comparison.baseline, comparison.candidate) == (first.experiment_id, second.experiment_id)
    assert comparison.regressed
    (accuracy,) = comparison.evaluations
    assert (accuracy.verdict, accuracy.n, accuracy.lost, accuracy.test) == (
        Verdict.REGRESSED,
        40,
        24,
        "MCNEMAR_EXACT",
    )
    assert accuracy.difference == pytest.approx(-0.6)
    assert accuracy.interval is not None
    assert accuracy.interval[1] < -0.4
    assert [(flip.item.id, flip.baseline_value, flip.candidate_output) for flip in accuracy.flips] == [
        ("i12", 1.0, "12"),
        ("i13", 1.0, "13"),
        ("i14", 1.0, "14"),
    ]
    assert json.loads(json.dumps(comparison.to_dict()))["evaluations"][0]["verdict"] == "REGRESSED"


def test_the_command_judges_gates_compares_and_plans(
    server: Server, client: Client, app: Application, tmp_path: Path
) -> None:
    def evalrpc(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *map(str, arguments)],
            env=os.environ | {"EVALRPC_ADDRESS": server.grpc},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    spec, summary, junit = tmp_path / "spec.json", tmp_path / "summary.md", tmp_path / "junit.xml"
    evaluators = [{"name": "accuracy", "builtin": {"name": "exact_match"}}]
    data = [
        {
            "id": one["id"],
            "input": {"value": one["input"]},
            "expected_output": {"value": one["expected_output"]},
        }
        for one in items(40, 36)
    ]
    spec.write_text(
        json.dumps(
            {
                "name": "Quiz | *one*",
                "task": {"http": {"url": app.task}},
                "evaluators": evaluators,
                "items": {"items": data},
            }
        )
    )
    report = ("--markdown", summary, "--junit", junit, "--quiet")
    passed = evalrpc("run", spec, "--gate", "accuracy >= 0.8", *report)
    assert passed.returncode == 0, passed.stderr
    assert "accuracy mean >= 0.8: passed" in passed.stdout
    text = summary.read_text("utf-8")
    assert text.startswith("## ✅ Quiz &#124; &#42;one&#42;\n")
    assert "| ✅ | accuracy mean &#62;= 0.8 |" in text
    assert "| accuracy | 0.9 | 0.7695 to 0.9604 | 40 |  |  |" in text
    suite = ET.parse(junit).getroot()
    assert [case.get("name") for case in suite][-1] == "accuracy mean >= 0.8"
    baseline = text.split("`")[1]

    gates = ("--gate", "accuracy lower bound >= 0.8", "--gate", f"accuracy not below {baseline} - 0.1")
    failed = evalrpc("run", spec, *gates, *report)
    assert failed.returncode == 1
    text = summary.read_text("utf-8")
    assert text.startswith("## ❌")
    assert "| ❌ | accuracy lower bound &#62;= 0.8 |" in text
    assert f"| ✅ | accuracy not below {baseline.replace('_', '&#95;')} - 0.1 | PASS" in text
    assert ET.parse(junit).getroot().get("failures") == "1"

    worse = run(client, app, 12).experiment_id
    compared = evalrpc("compare", baseline, worse, "--margin-of", "accuracy=0.02", "--markdown", summary)
    assert compared.returncode == 1
    assert "REGRESSED" in compared.stdout
    text = summary.read_text("utf-8")
    assert "| accuracy | ❌ REGRESSED | 0.9 | 0.3 | -0.6 (" in text
    assert "<details><summary>accuracy: what changed most</summary>" in text
    again = evalrpc("compare", baseline, baseline, "--json", "--fail-when-inconclusive")
    assert again.returncode == 1
    assert json.loads(again.stdout)[0]["evaluations"][0]["verdict"] == "INCONCLUSIVE"

    planned = evalrpc("plan", 0.03, "--between-items", 1 / 9, "--within-item", 1 / 6, "--trials", "1,5")
    assert planned.stdout.split("\n")[1:3] == ["1       3876   3876", "5       1551   7755"]


def test_gates_are_written_as_they_are_named() -> None:
    bound = parse_gate("tone of voice upper bound <= 3")
    assert (bound.evaluation, bound.threshold.value) == ("tone of voice", 3)
    held = parse_gate("accuracy not below exp_1")
    assert (held.evaluation, held.baseline.experiment.id, held.baseline.margin) == ("accuracy", "exp_1", 0)
    fast = parse_gate("latency not above exp_1 + 0.5")
    assert (fast.baseline.margin, fast.baseline.lower_is_better) == (0.5, True)
    for wrong in (
        "accuracy not below exp_1 + 1",
        "latency not above exp_1 - 1",
        "",
        "accuracy",
        "accuracy >= x",
        "accuracy not below exp_1 - y",
        ">= 1",
    ):
        with pytest.raises(ValueError, match="is no gate"):
            parse_gate(wrong)
