"""What must hold for a run, how two runs compare item by item, and how many items it takes to tell."""

from __future__ import annotations

from typing import Any

from evalrpc import Client, ExperimentResult, Variances, builtin
from tests.conformance.stage import Stage, error_of


def run_with(client: Client, name: str, right: range, gates: list[dict[str, Any]]) -> ExperimentResult:
    def task(*, item: Any) -> str:
        return "right" if item.input in right else "wrong"

    return client.run(
        name=name,
        data=[{"id": f"i{number}", "input": number, "expected_output": "right"} for number in range(8)],
        task=task,
        evaluators=[builtin("exact_match", name="accuracy")],
        gates=gates,
    ).result()


def run(stage: Stage) -> Any:
    with stage.client() as client:
        baseline = run_with(client, stage.unique("baseline"), range(7, 8), [])
        gates = [
            {"name": "enough", "evaluation": "accuracy", "threshold": {"value": 0.8}},
            {"name": "perfect", "evaluation": "accuracy", "threshold": {"value": 1}},
        ]
        candidate = run_with(client, stage.unique("candidate"), range(1, 8), gates)
        (comparison,) = client.compare(baseline.experiment_id, candidate.experiment_id, max_flips=1)
        plans = client.plan(
            0.1, variances=Variances(between_items=0.25, baseline_within_item=0.25), trials=[1, 2]
        )
        missing = error_of(lambda: client.compare("exp_none", candidate.experiment_id))
    (found,) = comparison.evaluations
    return {
        "gates": [[each.name, each.passed] for each in candidate.experiment.gates],
        "comparison": {
            "verdict": found.verdict,
            "matched": comparison.matched_items,
            "means": [found.baseline_mean, found.candidate_mean],
            "difference": found.difference,
            "gained": found.gained,
            "lost": found.lost,
            "test": found.test,
            "p_value": round(found.p_value or 1, 6),
            "regressed": comparison.regressed,
        },
        "flips": [
            [
                each.item.id,
                each.baseline_value,
                each.candidate_value,
                each.baseline_output,
                each.candidate_output,
            ]
            for each in found.flips
        ],
        "only_in_candidate": list(comparison.only_in_candidate),
        "plan": [[each.trials, each.items] for each in plans.plans],
        "missing": missing["kind"],
    }
