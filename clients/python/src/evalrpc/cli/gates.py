"""Gates on the command line: as they are named in results, so that a gate's name can be copied."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

from evalrpc._spec.files import load_spec
from evalrpc.v1 import experiment_spec_pb2, gate_pb2

_COMPARISONS = {
    ">=": gate_pb2.GATE_COMPARISON_AT_LEAST,
    ">": gate_pb2.GATE_COMPARISON_GREATER,
    "<=": gate_pb2.GATE_COMPARISON_AT_MOST,
    "<": gate_pb2.GATE_COMPARISON_LESS,
}
_STATISTICS = {
    "mean": gate_pb2.GATE_STATISTIC_MEAN,
    "lower bound": gate_pb2.GATE_STATISTIC_LOWER_BOUND,
    "upper bound": gate_pb2.GATE_STATISTIC_UPPER_BOUND,
    "minimum": gate_pb2.GATE_STATISTIC_MIN,
    "maximum": gate_pb2.GATE_STATISTIC_MAX,
    "error rate": gate_pb2.GATE_STATISTIC_ERROR_RATE,
}
_BASELINE = re.compile(
    r"\s*(?P<name>.*?\S)\s+not (?P<side>below|above)\s+(?P<id>\S+)(?:\s+(?P<sign>[-+])\s+(?P<margin>\S+))?\s*"
)
_THRESHOLD = re.compile(
    rf"\s*(?P<name>.*?\S)(?:\s+(?P<statistic>{'|'.join(_STATISTICS)}))?"
    r"\s*(?P<comparison><=|>=|<|>)\s*(?P<bound>\S+)\s*"
)


def parse_gate(text: str) -> gate_pb2.Gate:
    """Reads a gate: "accuracy >= 0.8", "accuracy lower bound > 0.7", "accuracy not below exp_1 - 0.02", "latency not above exp_1 + 0.5".

    Raises:
        ValueError: it is none.
    """
    if match := _BASELINE.fullmatch(text):
        lower_is_better = match["side"] == "above"
        if match["sign"] not in {None, "+" if lower_is_better else "-"}:
            raise ValueError(_form(text))
        margin = _number(match["margin"] or "0", text)
        baseline = gate_pb2.BaselineGate(margin=margin, lower_is_better=lower_is_better)
        baseline.experiment.id = match["id"]
        return gate_pb2.Gate(evaluation=match["name"], baseline=baseline)
    match = _THRESHOLD.fullmatch(text)
    if match is None:
        raise ValueError(_form(text))
    threshold = gate_pb2.ThresholdGate(
        statistic=_STATISTICS[match["statistic"] or "mean"],
        comparison=_COMPARISONS[match["comparison"]],
        value=_number(match["bound"], text),
    )
    return gate_pb2.Gate(evaluation=match["name"], threshold=threshold)


def with_gates(path: Path, gates: Sequence[gate_pb2.Gate]) -> tuple[experiment_spec_pb2.ExperimentSpec, str]:
    """Returns the spec in a file with more gates, and the request id that the file gives; empty for none.

    Raises:
        InvalidRequestError: the file does not have the contract's form.
        OSError: the file cannot be read.
    """
    spec, request_id = load_spec(path)
    spec.gates.extend(gates)
    return spec, request_id


def _number(text: str, gate: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(_form(gate))
    return number


def _form(text: str) -> str:
    return (
        f"{text!r} is no gate; write NAME >= NUMBER (also >, <=, <; a statistic may stand behind the name:"
        f" {', '.join(_STATISTICS)}), NAME not below EXPERIMENT_ID - MARGIN,"
        " or, where less is better, NAME not above EXPERIMENT_ID + MARGIN"
    )
