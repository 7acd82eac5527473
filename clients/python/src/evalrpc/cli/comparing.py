"""The commands that look at whole runs."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Sequence

from evalrpc._convert.comparisons import RunLike
from evalrpc._model.comparison import Comparison, LangfuseRun, Plans, Variances, Verdict
from evalrpc.cli.exits import MISSED, SUCCESSFUL
from evalrpc.cli.experiments import client_for
from evalrpc.cli.markdown import comparison_lines, write_markdown
from evalrpc.cli.output import columns

_EXPERIMENT_IDS = "exp_"


def compare(arguments: Namespace) -> int:
    """Prints how runs stand to a baseline; fails where one regressed."""
    runs = [_run(name, arguments.dataset, arguments.project) for name in arguments.runs]
    with client_for(arguments) as client:
        comparisons = client.compare(
            *runs,
            evaluations=arguments.evaluation,
            margin=arguments.margin,
            margins=dict(arguments.margin_of),
            confidence=arguments.confidence,
            cluster_by=arguments.cluster_by,
            max_flips=arguments.max_flips,
            lower_is_better=arguments.lower_is_better,
        )
    if arguments.json:
        print(json.dumps([each.to_dict() for each in comparisons], ensure_ascii=False, indent=2))
    else:
        _print(comparisons)
    if arguments.markdown:
        lines = [line for each in comparisons for line in (*comparison_lines(each), "")]
        write_markdown(arguments.markdown, lines[:-1])
    bad = {Verdict.REGRESSED} | ({Verdict.INCONCLUSIVE} if arguments.fail_when_inconclusive else set())
    found = {each.verdict for comparison in comparisons for each in comparison.evaluations}
    return MISSED if bad & found else SUCCESSFUL


def plan(arguments: Namespace) -> int:
    """Prints how many items and trials show a difference."""
    variances = None
    if arguments.experiment is None:
        within = arguments.within_item
        variances = Variances(arguments.between_items, within, within)
    with client_for(arguments) as client:
        plans = client.plan(
            arguments.difference,
            experiment_id=arguments.experiment,
            evaluation=arguments.evaluation,
            candidate_id=arguments.candidate,
            variances=variances,
            trials=arguments.trials,
            power=arguments.power,
            significance=arguments.significance,
        )
    if arguments.json:
        print(json.dumps(plans.to_dict(), indent=2))
    else:
        _print_plans(plans)
    return SUCCESSFUL


def _run(name: str, dataset: str | None, project: str | None) -> RunLike:
    if dataset is None or name.startswith(_EXPERIMENT_IDS):
        return name
    return LangfuseRun(dataset, name, project)


def _print(comparisons: Sequence[Comparison]) -> None:
    header = ("EVALUATION", "VERDICT", "BASELINE", "CANDIDATE", "DIFFERENCE", "P", "GAINED", "LOST", "N")
    for number, comparison in enumerate(comparisons):
        if number:
            print()
        print(
            f"{comparison.candidate} against {comparison.baseline}: {comparison.matched_items} items in both"
        )
        rows: list[tuple[str, ...]] = [header]
        for each in comparison.evaluations:
            interval = each.interval
            reach = "" if interval is None else f" ({interval[0]:+.4f} to {interval[1]:+.4f})"
            p_value = "" if each.adjusted_p_value is None else f"{each.adjusted_p_value:.3g}"
            means = f"{each.baseline_mean:.4f}", f"{each.candidate_mean:.4f}"
            counts = str(each.gained), str(each.lost), str(each.n)
            rows.append((each.name, each.verdict, *means, f"{each.difference:+.4f}{reach}", p_value, *counts))
        print("\n".join(columns(rows)))


def _print_plans(plans: Plans) -> None:
    rows = [("TRIALS", "ITEMS", "TASK CALLS")]
    rows += [(str(each.trials), str(each.items), str(each.task_calls)) for each in plans.plans]
    print("\n".join(columns(rows)))
