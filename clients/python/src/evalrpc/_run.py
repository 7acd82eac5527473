"""What a run and a watch have in common, apart from the connection."""

from __future__ import annotations

from evalrpc._convert.events import event_from_message
from evalrpc._model.event import Event
from evalrpc._model.experiment import Experiment
from evalrpc._model.item_result import ItemResult
from evalrpc._model.result import ExperimentResult
from evalrpc._resumption import Resumption
from evalrpc.v1 import event_pb2, experiment_service_pb2, json_pb2


class RunState:
    """What was seen of an experiment so far.

    Attributes:
        resumption: where the stream of events is.
        experiment: as the last event of that kind told it.
    """

    def __init__(self, resumption: Resumption, *, collect: bool) -> None:
        """Starts where `resumption` is; results are kept only with `collect`, and if no event was skipped."""
        self.resumption = resumption
        self.experiment: Experiment | None = None
        self._results: list[ItemResult] | None = [] if collect and resumption.sequence == 0 else None

    def take(self, message: event_pb2.ExperimentEvent) -> Event | None:
        """Takes in what the server sent; returns it if the caller has not seen it."""
        if not self.resumption.accept(message):
            return None
        event = event_from_message(message)
        if event is None:
            return None
        if event.experiment is not None:
            self.experiment = event.experiment
        elif event.item_result is not None and self._results is not None:
            self._results.append(event.item_result)
        return event

    def result(self) -> ExperimentResult | None:
        """Returns the result if all of it was seen and kept."""
        if self.experiment is None or self._results is None or not self.resumption.finished:
            return None
        return ExperimentResult.of(self.experiment, self._results)

    def watch_request(self) -> experiment_service_pb2.WatchExperimentRequest:
        """Returns the request that resumes behind what was seen."""
        return experiment_service_pb2.WatchExperimentRequest(
            id=self.resumption.experiment_id or "",
            after_sequence=self.resumption.sequence,
            json_encoding=json_pb2.JSON_ENCODING_TEXT,
        )
