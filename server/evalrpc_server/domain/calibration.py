"""Calibration: outputs with people's verdicts, and how far a judge agrees with them."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from evalrpc_server.domain.documents import Document
from evalrpc_server.domain.evaluations import Evaluation, Value
from evalrpc_server.domain.items import Item
from evalrpc_server.domain.results import Context
from evalrpc_server.domain.statistics.agreement import Agreement


class LabelledOutput(Struct, frozen=True, kw_only=True):
    """An output with a person's verdict, of the kind that the judge gives."""

    item: Item
    output: Document
    contexts: tuple[Context, ...] = ()
    verdict: Value


class Calibration(Struct, frozen=True, kw_only=True):
    """How far a judge agrees with people; the evaluations are in the order of the outputs."""

    agreement: Agreement
    evaluations: Sequence[Evaluation]

    @property
    def unscored(self) -> int:
        """Outputs that the judge left unscored."""
        return sum(each.unscored is not None for each in self.evaluations)

    @property
    def errors(self) -> int:
        """Outputs on which the judge failed."""
        return sum(each.error is not None for each in self.evaluations)
