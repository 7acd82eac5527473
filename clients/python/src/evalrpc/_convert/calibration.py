"""Reads calibrations."""

from __future__ import annotations

from evalrpc._convert.evaluations import evaluation_from_message
from evalrpc._model.calibration import Calibration
from evalrpc.v1 import calibration_pb2


def calibration_from_message(message: calibration_pb2.CalibrateJudgeResponse) -> Calibration:
    """Reads how far a judge agrees with people."""
    has = message.HasField
    accuracy, kappa = message.accuracy_interval, message.kappa_interval
    return Calibration(
        n=message.n,
        unscored=message.unscored,
        errors=message.errors,
        accuracy=message.accuracy if has("accuracy") else None,
        accuracy_interval=(accuracy.low, accuracy.high) if has("accuracy_interval") else None,
        kappa=message.kappa if has("kappa") else None,
        kappa_interval=(kappa.low, kappa.high) if has("kappa_interval") else None,
        evaluations=tuple(evaluation_from_message(each) for each in message.evaluations),
    )
