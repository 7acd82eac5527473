"""Headers that let an application's own spans join the trace of an item."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import quote

from evalrpc_server.domain.experiments import ExperimentRef

_PLAIN = re.compile(r"[A-Za-z0-9_.~-]*")  # what needs no encoding, as most ids


def traceparent(trace_id: str, span_id: str) -> str:
    """Returns the W3C Trace Context header of a sampled span."""
    return f"00-{trace_id}-{span_id}-01"


def baggage(experiment: ExperimentRef, item_id: str) -> str:
    """Returns the W3C Baggage header that names an experiment and an item, percent-encoded."""
    return f"{_experiment_baggage(experiment)},evalrpc.item_id={_encoded(item_id)}"


@lru_cache(maxsize=256)
def _experiment_baggage(experiment: ExperimentRef) -> str:
    return (
        f"evalrpc.experiment_id={_encoded(experiment.id)},evalrpc.experiment_name={_encoded(experiment.name)}"
    )


def _encoded(value: str) -> str:
    return value if _PLAIN.fullmatch(value) else quote(value, safe="")
