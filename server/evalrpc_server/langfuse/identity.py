"""Names and ids in Langfuse, each derived from what it identifies, so that sending anything twice changes nothing.

Langfuse shows one trace for each item of an experiment. The trials of a repeated item are therefore recorded as experiments
of their own: the first trials under the run's name, the n-th under `<run name> (trial n)`. Nothing is hidden, items keep
their ids, and trials can be compared as runs are.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from urllib.parse import quote

import msgspec

from evalrpc_server.domain.langfuse import LinkMode


def run_name(name: str, trial: int) -> str:
    """Returns the name under which the trials of one number are recorded."""
    return name if trial == 1 else f"{name} (trial {trial})"


def dataset_experiment_id(project_id: str, dataset_id: str, run: str) -> str:
    """Returns the id that Langfuse's server and SDKs derive for a run over a hosted dataset."""
    seed = msgspec.json.encode(["langfuse-experiment-v1", project_id, dataset_id, run])
    return hashlib.sha256(seed).hexdigest()[:16]


def local_experiment_id(experiment_id: str, trial: int) -> str:
    """Returns the id of a run over data that Langfuse does not keep; the SDKs draw one at random."""
    return _digest("experiment", experiment_id, str(trial))[:16]


def score_id(experiment_id: str, *path: str) -> str:
    """Returns the id of a score (32 hex digits) by what it scores, its name and its author."""
    return _digest("score", experiment_id, *path)[:32]


def trace_url(base_url: str, project_id: str, trace_id: str) -> str:
    """Returns the page of a trace."""
    return f"{_project_url(base_url, project_id)}/traces/{trace_id}"


def run_url(
    base_url: str, project_id: str, *, mode: LinkMode | None, experiment_id: str, dataset_id: str
) -> str:
    """Returns the page of a run: as an experiment, or as a dataset run on servers that tie by run items."""
    project = _project_url(base_url, project_id)
    if mode is LinkMode.RUN_ITEMS and dataset_id:
        return f"{project}/datasets/{quote(dataset_id, safe='')}/runs/{quote(experiment_id, safe='')}"
    return f"{project}/experiments/results?baseline={quote(experiment_id, safe='')}"


@lru_cache(maxsize=256)
def _project_url(base_url: str, project_id: str) -> str:
    return f"{base_url}/project/{quote(project_id, safe='')}"


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode("utf-8")).hexdigest()
