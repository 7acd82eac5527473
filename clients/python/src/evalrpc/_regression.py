"""What the experiment scripts of a CI job are given, and how they say that a result is not good enough."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

from evalrpc._model.result import ExperimentResult
from evalrpc._spec.data import Data
from evalrpc._spec.experiment import ExperimentFields
from evalrpc._sync.client import Client


class RegressionError(AssertionError):
    """A result that is not good enough.

    Attributes:
        result: the result.
        metric: what is too low or too high.
        value: what it is.
        threshold: what it should have been.
    """

    def __init__(
        self,
        *,
        result: ExperimentResult,
        metric: str | None = None,
        value: float | None = None,
        threshold: float | None = None,
        message: str | None = None,
    ) -> None:
        if message is None:
            message = "the experiment got worse"
            if metric is not None and value is not None:
                message = f"{metric} is {value:g}"
                message += "" if threshold is None else f", and the threshold is {threshold:g}"
        super().__init__(message)
        self.result = result
        self.metric = metric
        self.value = value
        self.threshold = threshold


class RunnerContext:
    """A client with defaults for the experiments of a job, as `langfuse/experiment-action` hands one to scripts.

    Attributes:
        client: runs the experiments.
        data: what they run over where they do not say.
        metadata: what they all have; their own members win.
    """

    def __init__(
        self, *, client: Client, data: Data | None = None, metadata: Mapping[str, Any] | None = None
    ) -> None:
        self.client = client
        self.data = data
        self.metadata = metadata

    def run_experiment(
        self, *, data: Data | None = None, **fields: Unpack[ExperimentFields]
    ) -> ExperimentResult:
        """Runs an experiment to its end, as `Client.run_experiment()` does, with the defaults.

        Raises:
            ValueError: there is no data, here or in the defaults.
            EvalrpcError: the experiment was not accepted, or could not be followed.
        """
        chosen = self.data if data is None else data
        if chosen is None:
            raise ValueError("give data to run_experiment(), or to the RunnerContext")
        fields["metadata"] = {**(self.metadata or {}), **(fields.get("metadata") or {})} or None
        return self.client.run_experiment(data=chosen, **fields)
