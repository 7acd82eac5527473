"""How far a judge agrees with people."""

from __future__ import annotations

from dataclasses import dataclass

from evalrpc._model.evaluation import Evaluation


@dataclass(frozen=True, slots=True)
class Calibration:
    """The agreement of a judge with people.

    Attributes:
        n: outputs on which the judge gave a verdict.
        unscored: outputs that it left unscored.
        errors: outputs on which it failed.
        accuracy: the share of equal verdicts; None where n is 0.
        accuracy_interval: low and high.
        kappa: Cohen's kappa, the agreement beyond chance; None where chance alone would agree always.
        kappa_interval: low and high.
        evaluations: the judge's, in the order of the outputs.
    """

    n: int
    unscored: int
    errors: int
    accuracy: float | None = None
    accuracy_interval: tuple[float, float] | None = None
    kappa: float | None = None
    kappa_interval: tuple[float, float] | None = None
    evaluations: tuple[Evaluation, ...] = ()
