"""The commands that follow an experiment to its end."""

from __future__ import annotations

from argparse import Namespace

from evalrpc._model.blame import blame
from evalrpc._model.experiment import ExperimentState
from evalrpc._model.result import ExperimentResult
from evalrpc._spec.experiment import ExperimentFields
from evalrpc._spec.files import read_items
from evalrpc._sync.client import Client
from evalrpc._sync.run import Run
from evalrpc.cli.exits import INTERRUPTED, SUCCESSFUL, exit_code
from evalrpc.cli.experiments import client_for
from evalrpc.cli.gates import with_gates
from evalrpc.cli.junit import write_junit
from evalrpc.cli.markdown import result_lines, write_markdown
from evalrpc.cli.output import complain, note, print_json
from evalrpc.cli.thresholds import missed
from evalrpc.progress import progress_view


def run(arguments: Namespace) -> int:
    """Runs an experiment and follows it."""
    fields = ExperimentFields(
        name=arguments.name,
        run_name=arguments.run_name,
        description=arguments.description,
        max_concurrency=arguments.max_concurrency,
        task_timeout=arguments.task_timeout,
        repetitions=arguments.repetitions,
        dry_run_items=arguments.dry_run_items,
    )
    data = read_items(arguments.data) if arguments.data else arguments.upload
    spec, given_id = with_gates(arguments.file, arguments.gate)
    request_id: str | None = arguments.request_id or given_id or None
    with client_for(arguments) as client:
        if arguments.detach:
            experiment = client.start(spec, data=data, request_id=request_id, **fields)
            print(experiment.id)
            return SUCCESSFUL
        return _follow(
            client,
            client.run(spec, data=data, request_id=request_id, **fields),
            arguments,
        )


def watch(arguments: Namespace) -> int:
    """Follows an experiment from its first event."""
    with client_for(arguments) as client:
        return _follow(client, client.watch(arguments.id), arguments)


def _follow(client: Client, run: Run, arguments: Namespace) -> int:
    try:
        with progress_view(quiet=arguments.quiet) as view, run:
            for event in run:
                view.update(event)
    except KeyboardInterrupt:
        return _interrupted(client, run, arguments)
    return _report(run.result(), arguments)


def _interrupted(client: Client, run: Run, arguments: Namespace) -> int:
    experiment_id = run.experiment_id
    if experiment_id is None:
        note("interrupted before the server said that it accepted the experiment")
    elif arguments.cancel_on_exit:
        state = client.cancel(experiment_id).state
        note(
            f"cancelled {experiment_id}"
            if state is ExperimentState.CANCELLING
            else f"{experiment_id} {state}"
        )
    else:
        address = f" --address {client.address}" if arguments.address else ""
        note(f"detached; {experiment_id} runs on. To follow it: evalrpc watch {experiment_id}{address}")
        note(f"To end it: evalrpc cancel {experiment_id}{address}")
    return INTERRUPTED


def _report(result: ExperimentResult, arguments: Namespace) -> int:
    if arguments.json:
        print_json(result)
    else:
        print(result.format(include_item_results=arguments.items))
    reasons = missed(arguments.fail_if, result)
    for reason in reasons.values():
        complain(f"missed {reason}")
    if reasons:
        for line in blame(result, [threshold.name for threshold in reasons]):
            note(line)
    if arguments.junit:
        write_junit(arguments.junit, result, arguments.fail_if, reasons)
    code = exit_code(result.experiment, thresholds_met=not reasons)
    if arguments.markdown:
        write_markdown(arguments.markdown, result_lines(result, reasons, passed=code == SUCCESSFUL))
    return code
