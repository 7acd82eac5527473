"""Builtins that measure an output or the call that gave it, without judging it."""

from __future__ import annotations

from evalrpc_server.evaluators.builtin.params import NoParams, OfOutput
from evalrpc_server.evaluators.builtin.registry import Gives, item_builtin
from evalrpc_server.evaluators.builtin.subject import Subject, text_of
from evalrpc_server.evaluators.builtin.verdicts import Verdict


class LengthParams(OfOutput):
    """Parameters of `length`."""


@item_builtin(LengthParams, gives=Gives.NUMBER)
def length(params: LengthParams, subject: Subject) -> Verdict:
    """The length of the output in characters (Unicode code points); of its compact JSON where it is not text."""
    return float(len(text_of(subject.output(params.output_path))))


@item_builtin(NoParams, gives=Gives.NUMBER)
def latency(params: NoParams, subject: Subject) -> Verdict:  # noqa: ARG001 - every builtin takes its parameters
    """Seconds that the successful task attempt took, without queueing and retries."""
    return subject.case.duration
