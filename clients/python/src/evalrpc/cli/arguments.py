"""What the command understands."""

from __future__ import annotations

import argparse
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from evalrpc._model.experiment import ExperimentState
from evalrpc._version import __version__
from evalrpc.cli import comparing, experiments, following, reporting
from evalrpc.cli.gates import parse_gate
from evalrpc.cli.thresholds import Threshold
from evalrpc.report import MAX_CHARACTERS
from evalrpc.v1 import gate_pb2

_EXITS = """exit codes:
  0    done, and the run succeeded (its items may have failed)
  1    a threshold or a gate was missed, or a compared run regressed
  2    the run failed or was cancelled, or the command could not be carried out
  130  interrupted; the experiment runs on unless --cancel-on-exit says otherwise
"""


def parse(argv: Sequence[str] | None) -> Namespace:
    """Reads the command line; `command` of what it returns carries it out. Exits with 2 on bad usage."""
    parser = ArgumentParser(
        prog="evalrpc",
        description="Run experiments on an evalrpc server, and follow them.",
        epilog=_EXITS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"evalrpc {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    server = _server_options()
    outcome = _outcome_options()
    _add_run(commands, [server, outcome])

    watch = commands.add_parser("watch", parents=[server, outcome], help="follow an experiment to its end")
    watch.add_argument("id", help="the experiment")
    watch.set_defaults(command=following.watch)

    get = commands.add_parser("get", parents=[server], help="show an experiment as JSON")
    get.add_argument("id", help="the experiment")
    get.set_defaults(command=experiments.get)

    listing = commands.add_parser("list", parents=[server], help="list experiments, the latest first")
    listing.add_argument("--name", help="only experiments of this name")
    listing.add_argument(
        "--state", action="append", default=[], type=_state, help="only in this state; may be repeated"
    )
    listing.add_argument("--limit", type=_count, default=20, help="how many at most (default: 20)")
    listing.add_argument("--json", action="store_true", help="print one JSON object per line")
    listing.set_defaults(command=experiments.list_all)

    cancel = commands.add_parser("cancel", parents=[server], help="ask an experiment to end")
    cancel.add_argument("id", help="the experiment")
    cancel.set_defaults(command=experiments.cancel)

    results = commands.add_parser("results", parents=[server], help="print results, one JSON object per line")
    results.add_argument("id", help="the experiment")
    results.add_argument("--failed", action="store_true", help="only results whose task failed")
    results.set_defaults(command=experiments.results)
    _add_compare(commands, server)
    _add_plan(commands, server)
    _add_report(commands, server)
    _add_export(commands, server)
    return parser.parse_args(argv)


def _add_run(commands: argparse._SubParsersAction[ArgumentParser], parents: list[ArgumentParser]) -> None:
    run = commands.add_parser("run", parents=parents, help="run an experiment and follow it to its end")
    run.add_argument(
        "file", type=Path, help="the spec, JSON or YAML in the JSON form of evalrpc.v1.ExperimentSpec"
    )
    run.add_argument(
        "--data", type=Path, metavar="FILE", help="take the items from a JSON or JSON Lines file instead"
    )
    run.add_argument("--upload", metavar="ID", help="take the items of an earlier upload instead")
    run.add_argument("--name", help="override the name")
    run.add_argument("--run-name", help="override the run's name")
    run.add_argument("--description", help="override the description")
    run.add_argument(
        "--max-concurrency", type=_count, metavar="N", help="override how many task calls may be in flight"
    )
    run.add_argument("--task-timeout", type=float, metavar="SECONDS", help="override the task's time-out")
    run.add_argument("--repetitions", type=_count, metavar="N", help="override the number of trials per item")
    run.add_argument("--dry-run-items", type=_count, metavar="N", help="run only the first N items")
    run.add_argument(
        "--gate",
        action="append",
        default=[],
        type=_gate,
        metavar="GATE",
        help="add a gate to those of the spec: 'accuracy >= 0.8', 'accuracy lower bound >= 0.75', "
        "'accuracy not below EXPERIMENT_ID - 0.02', or 'latency not above EXPERIMENT_ID + 0.5'; may be repeated. The server judges it; exit with 1 if it fails",
    )
    run.add_argument("--request-id", metavar="ID", help="join the experiment that was started under this id")
    run.add_argument("--detach", action="store_true", help="print the experiment's id and do not follow it")
    run.set_defaults(command=following.run)


def _add_compare(commands: argparse._SubParsersAction[ArgumentParser], server: ArgumentParser) -> None:
    compare = commands.add_parser("compare", parents=[server], help="set experiments beside a baseline")
    compare.add_argument(
        "runs", nargs="+", metavar="RUN", help="experiments, the baseline first; from 2 to 10"
    )
    compare.add_argument(
        "--dataset", help="a dataset in Langfuse: what is no experiment's id names a run over it"
    )
    compare.add_argument("--project", help="its project, by its name on the server")
    compare.add_argument(
        "--evaluation", action="append", default=[], help="only this one; may be repeated (default: all)"
    )
    compare.add_argument(
        "--margin", type=float, default=0.0, help="by how much a candidate may be worse (default: 0)"
    )
    compare.add_argument(
        "--margin-of",
        action="append",
        default=[],
        type=_margin,
        metavar="NAME=MARGIN",
        help="the same for one evaluation; may be repeated",
    )
    compare.add_argument(
        "--lower-is-better",
        action="append",
        default=[],
        metavar="NAME",
        help="an evaluation of which less is better, such as latency; may be repeated",
    )
    compare.add_argument("--confidence", type=float, help="of intervals and verdicts (default: 0.95)")
    compare.add_argument(
        "--cluster-by", metavar="PATH", help="the path within item metadata that tells what belongs together"
    )
    compare.add_argument(
        "--max-flips", type=int, metavar="N", help="changed items per evaluation (default: 20)"
    )
    compare.add_argument(
        "--fail-when-inconclusive", action="store_true", help="exit with 1 also where it is open"
    )
    compare.add_argument(
        "--json", action="store_true", help="print the comparisons as JSON, with what changed"
    )
    compare.add_argument("--markdown", type=Path, metavar="FILE", help="write them as Markdown")
    compare.set_defaults(command=comparing.compare)


def _add_plan(commands: argparse._SubParsersAction[ArgumentParser], server: ArgumentParser) -> None:
    plan = commands.add_parser(
        "plan", parents=[server], help="compute how many items and trials show a difference"
    )
    plan.add_argument("difference", type=float, help="the difference of means to see, above 0")
    plan.add_argument("--experiment", metavar="ID", help="measure in this experiment what scatters")
    plan.add_argument("--evaluation", help="its evaluation")
    plan.add_argument("--candidate", metavar="ID", help="measure the difference to this experiment, too")
    plan.add_argument(
        "--between-items", type=float, default=0.0, metavar="VARIANCE", help="of the items' difference"
    )
    plan.add_argument(
        "--within-item", type=float, default=0.0, metavar="VARIANCE", help="of an item's trials in each run"
    )
    plan.add_argument("--trials", type=_counts, default=(), metavar="N,N,...", help="trials to plan for")
    plan.add_argument("--power", type=float, help="the chance to see the difference (default: 0.8)")
    plan.add_argument("--significance", type=float, help="the chance of a false alarm (default: 0.05)")
    plan.add_argument("--json", action="store_true", help="print the plans as JSON")
    plan.set_defaults(command=comparing.plan)


def _add_report(commands: argparse._SubParsersAction[ArgumentParser], server: ArgumentParser) -> None:
    report = commands.add_parser("report", parents=[server], help="write an experiment as an HTML page")
    report.add_argument("id", help="the experiment")
    report.add_argument("--compare", metavar="ID", help="set it beside this baseline")
    report.add_argument(
        "--margin", type=float, default=0.0, help="by how much it may be worse than the baseline (default: 0)"
    )
    report.add_argument(
        "--lower-is-better",
        action="append",
        default=[],
        metavar="NAME",
        help="an evaluation of which less is better, such as latency; may be repeated",
    )
    report.add_argument("--output", type=Path, metavar="FILE", help="where to write (default: ID.html)")
    report.add_argument(
        "--max-characters",
        type=_count,
        default=MAX_CHARACTERS,
        metavar="N",
        help=f"how much of each text to keep (default: {MAX_CHARACTERS})",
    )
    report.set_defaults(command=reporting.report)


def _add_export(commands: argparse._SubParsersAction[ArgumentParser], server: ArgumentParser) -> None:
    export = commands.add_parser("export", parents=[server], help="write results for other programs")
    export.add_argument("id", help="the experiment")
    export.add_argument(
        "--format", choices=("jsonl", "csv", "parquet"), default="jsonl", help="(default: jsonl)"
    )
    export.add_argument("--output", type=Path, metavar="FILE", help="where to write (default: stdout)")
    export.set_defaults(command=reporting.export)


def _server_options() -> ArgumentParser:
    options = ArgumentParser(add_help=False)
    server = options.add_argument_group("server")
    server.add_argument("--address", help="host:port (default: $EVALRPC_ADDRESS or localhost:50051)")
    server.add_argument(
        "--token", help="a bearer token (default: $EVALRPC_TOKEN, which other users cannot see)"
    )
    server.add_argument("--tls", action="store_true", help="encrypt the connection")
    server.add_argument(
        "--ca", type=Path, metavar="FILE", help="the authorities to trust, PEM; implies --tls"
    )
    server.add_argument("--cert", type=Path, metavar="FILE", help="a client certificate, PEM; implies --tls")
    server.add_argument("--key", type=Path, metavar="FILE", help="its private key, PEM")
    return options


def _outcome_options() -> ArgumentParser:
    options = ArgumentParser(add_help=False)
    outcome = options.add_argument_group("outcome")
    outcome.add_argument("--json", action="store_true", help="print the experiment and its results as JSON")
    outcome.add_argument("--items", action="store_true", help="show each item in the report")
    outcome.add_argument("--quiet", action="store_true", help="show no progress")
    outcome.add_argument(
        "--fail-if",
        action="append",
        default=[],
        type=_threshold,
        metavar="CONDITION",
        help="exit with 1 if this holds, such as 'avg_accuracy < 0.8'; may be repeated. The name is a run evaluation's, "
        "an item evaluation's (its mean counts), or failed (items)",
    )
    outcome.add_argument(
        "--markdown", type=Path, metavar="FILE", help="write a summary for a pull request as Markdown"
    )
    outcome.add_argument("--junit", type=Path, metavar="FILE", help="write items and thresholds as JUnit XML")
    outcome.add_argument(
        "--cancel-on-exit", action="store_true", help="cancel the experiment when interrupted"
    )
    return options


def _threshold(text: str) -> Threshold:
    try:
        return Threshold.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _gate(text: str) -> gate_pb2.Gate:
    try:
        return parse_gate(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _margin(text: str) -> tuple[str, float]:
    name, _, margin = text.rpartition("=")
    try:
        return name, float(margin)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=MARGIN") from None


def _counts(text: str) -> tuple[int, ...]:
    return tuple(_count(part) for part in text.split(","))


def _state(text: str) -> ExperimentState:
    try:
        return ExperimentState(text.upper())
    except ValueError:
        names = ", ".join(state for state in ExperimentState if state is not ExperimentState.UNSPECIFIED)
        raise argparse.ArgumentTypeError(f"{text!r} is no state; the states are {names}") from None


def _count(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1, not {text!r}")
    return number
