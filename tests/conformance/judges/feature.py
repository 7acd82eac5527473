"""Language models that judge, CEL expressions, and how far a judge agrees with people; this one lacks its key."""

from __future__ import annotations

from typing import Any

from evalrpc import WorkerTask, expression, judge
from tests.conformance.stage import Stage, error_of, evaluations


def run(stage: Stage) -> Any:
    polite = judge(
        name="polite",
        rubric="Is the output polite?",
        boolean=True,
        models={"model": "m", "api_key": "${secret:NOT_THERE}"},
    )
    with stage.client() as client:
        result = client.run(
            name=stage.unique("run"),
            data=[{"input": 1}],
            task=lambda *, item: "It is Paris.",
            evaluators=[expression("size(output) > 20", name="long"), polite],
        ).result()
        measured = client.calibrate_judge(
            polite, [{"output": "Please.", "verdict": True}, {"output": "No!", "verdict": False}]
        )
        wrong = error_of(
            lambda: client.start(
                name="x",
                data=[{"input": 1}],
                task=WorkerTask(function="f"),
                evaluators=[expression("answer > 1", name="wrong")],
            )
        )
    return {
        "evaluations": evaluations(result.item_results[0].evaluations),
        "calibration": [measured.n, measured.errors, measured.unscored],
        "wrong": wrong["violations"],
    }
