"""The command's exit codes."""

from __future__ import annotations

from evalrpc._model.experiment import Experiment, ExperimentState

SUCCESSFUL = 0
MISSED = 1
UNSUCCESSFUL = 2
INTERRUPTED = 130


def exit_code(experiment: Experiment, *, thresholds_met: bool) -> int:
    """Returns the exit code for an experiment that ended."""
    if experiment.state is not ExperimentState.SUCCEEDED:
        return UNSUCCESSFUL
    if not thresholds_met or not all(gate.passed for gate in experiment.gates):
        return MISSED
    return SUCCESSFUL
