"""Calibrations of judges from and to messages."""

from __future__ import annotations

import math

from evalrpc.v1 import calibration_pb2
from evalrpc_server.domain.calibration import Calibration, LabelledOutput
from evalrpc_server.domain.documents import Document, InvalidDocumentError
from evalrpc_server.domain.errors import Violation
from evalrpc_server.domain.spec.judges import JudgeEvaluator
from evalrpc_server.protobuf.documents import Encoding, document_from_message
from evalrpc_server.protobuf.evaluations import evaluation_to_message
from evalrpc_server.protobuf.items import read_items
from evalrpc_server.protobuf.spec import model_from_message
from evalrpc_server.protobuf.summaries import interval_to_message
from evalrpc_server.protobuf.values import context_from_message

MIN_OUTPUTS, MAX_OUTPUTS = 2, 1_000
"""How many labelled outputs a judge is measured over."""

_MAX_CONTEXTS = 1_000


def calibration_from_message(
    message: calibration_pb2.CalibrateJudgeRequest,
) -> tuple[JudgeEvaluator | None, list[LabelledOutput], list[Violation]]:
    """Reads a judge and labelled outputs, and everything that is wrong with them."""
    judge: JudgeEvaluator | None = None
    violations: list[Violation] = []
    if message.HasField("judge"):
        judge, violations = model_from_message(JudgeEvaluator, message.judge, path="judge")
    else:
        violations = [Violation("judge", "is required")]
    count = len(message.labelled_outputs)
    if not MIN_OUTPUTS <= count <= MAX_OUTPUTS:
        problem = f"must have {MIN_OUTPUTS} to {MAX_OUTPUTS} entries, not {count}"
        return judge, [], [*violations, Violation("labelled_outputs", problem)]
    if message.HasField("positive_from") and not math.isfinite(message.positive_from):
        violations.append(Violation("positive_from", "must be finite"))
    found = [
        _labelled(one, f"labelled_outputs[{number}]", violations)
        for number, one in enumerate(message.labelled_outputs)
    ]
    return judge, [each for each in found if each is not None], violations


def calibration_to_message(found: Calibration, *, room: int) -> calibration_pb2.CalibrateJudgeResponse:
    """Writes a calibration; evaluations beyond `room` bytes are sent without comments and metadata."""
    agreement = found.agreement
    message = calibration_pb2.CalibrateJudgeResponse(
        n=agreement.n,
        unscored=found.unscored,
        errors=found.errors,
        accuracy=agreement.accuracy,
        accuracy_interval=interval_to_message(agreement.accuracy_interval)
        if agreement.accuracy_interval
        else None,
        kappa=agreement.kappa,
        kappa_interval=interval_to_message(agreement.kappa_interval) if agreement.kappa_interval else None,
    )
    for evaluation in found.evaluations:
        written = evaluation_to_message(evaluation, Encoding.VALUE)
        room -= written.ByteSize()
        if room < 0:
            written.ClearField("comment")
            written.ClearField("metadata")
        message.evaluations.append(written)
    return message


def _labelled(
    message: calibration_pb2.LabelledOutput, place: str, violations: list[Violation]
) -> LabelledOutput | None:
    before = len(violations)
    if not message.item.HasField("input"):
        message.item.input.text = "null"
    items, wrong = read_items([message.item], path="")
    violations += [
        Violation(f"{place}.item{each.path.removeprefix('[0]')}", each.description) for each in wrong
    ]
    output = Document("")
    if message.HasField("output"):
        try:
            output = document_from_message(message.output)
        except InvalidDocumentError as problem:
            violations.append(Violation(f"{place}.output", str(problem)))
    else:
        violations.append(Violation(f"{place}.output", "is required"))
    kind = message.WhichOneof("verdict")
    if kind is None:
        violations.append(Violation(place, "must set exactly one of number, boolean, label; none is set"))
    elif kind == "number" and not math.isfinite(message.number):
        violations.append(Violation(f"{place}.number", "must be finite"))
    if len(message.contexts) > _MAX_CONTEXTS:
        violations.append(Violation(f"{place}.contexts", f"must have at most {_MAX_CONTEXTS} entries"))
    if kind is None or len(violations) > before:
        return None
    return LabelledOutput(
        item=items[0],
        output=output,
        contexts=tuple(context_from_message(each) for each in message.contexts),
        verdict=getattr(message, kind),
    )
