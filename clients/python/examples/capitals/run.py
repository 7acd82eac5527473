"""The demo: asks an application for the capitals of the world, and prints where two public sources disagree.

Starts the server and the application as processes of their own on free ports, runs one experiment through the
Python client, and ends both, whatever happens. `make demo` calls it. Where the LANGFUSE_* variables name a project, the run
is recorded there.
"""

from __future__ import annotations

import signal
import sys
from types import FrameType

from findings import report_findings
from questions import load_questions
from services import Services, running_services

from evalrpc import Client, EvalrpcError, ExperimentResult, ExperimentState, builtin, http_evaluator
from evalrpc.progress import progress_view

BY_HAND = """
To try it by hand, run in two other terminals

  make serve
  .venv/bin/python clients/python/examples/capitals/app.py

and then, with grpcurl,

  grpcurl -plaintext -d '{"experiment": {"name": "By hand", "items": {"items": [{"input": {"value": "What is the \
capital of France?"}, "expected_output": {"value": "Paris"}}]}, "task": {"http": {"url": "http://127.0.0.1:9000/task"}}, \
"evaluators": [{"name": "exact_match", "builtin": {"name": "exact_match"}}]}}' \
localhost:50051 evalrpc.v1.ExperimentService/RunExperiment
"""


def run_experiment(services: Services) -> ExperimentResult:
    """Runs the experiment over all capitals and shows its progress; returns what became of it."""
    items = [
        {
            "id": question.iso,
            "input": question.text,
            "expected_output": question.capital,
            "metadata": {"country": question.country, "continent": question.continent},
        }
        for question in load_questions()
    ]
    print(f"{len(items)} questions for {services.app}, asked by the server at {services.server}", flush=True)
    with Client(services.server) as client, progress_view(quiet=False) as progress:
        run = client.run(
            name="Capitals of the world",
            description="GeoNames asks, countryinfo answers",
            data=items,
            task=f"{services.app}/task",
            evaluators=[
                builtin("exact_match"),
                builtin("levenshtein", name="similarity"),
                http_evaluator(f"{services.app}/evaluate", name="same_place"),
            ],
            run_evaluators=[
                builtin("mean", name="mean_similarity", evaluation="similarity"),
                builtin("pass_rate", name="same_place_rate", evaluation="same_place"),
            ],
            langfuse_sync="wait",  # the server ends with the demo
        )
        for event in run:
            progress.update(event)
        return run.result()


def main() -> int:
    """Runs the demo; returns its exit code."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with running_services() as services:
            result = run_experiment(services)
    except KeyboardInterrupt:
        print("\nInterrupted; the server and the application have ended.", file=sys.stderr)
        return 130
    except (EvalrpcError, RuntimeError) as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        return 1
    print(f"\n{result.format()}\n")
    print(report_findings(result.item_results))
    if status := result.experiment.langfuse:
        missing = f", {status.queued + status.rejected} are missing: {status.last_error}"
        print(f"\nLangfuse has {status.accepted} records of it{missing if status.last_error else ''}")
    print(BY_HAND, end="")
    return 0 if result.state is ExperimentState.SUCCEEDED else 1


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
