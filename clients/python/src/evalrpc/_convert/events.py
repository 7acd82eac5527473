"""Reads events."""

from __future__ import annotations

from evalrpc._convert.evaluations import evaluation_from_message
from evalrpc._convert.experiments import experiment_from_message, progress_from_message
from evalrpc._convert.item_results import item_result_from_message
from evalrpc._convert.values import to_datetime
from evalrpc._model.event import Event
from evalrpc.v1 import event_pb2


def event_from_message(message: event_pb2.ExperimentEvent) -> Event | None:
    """Reads an event; None for a checkpoint, and for a kind that this version does not know."""
    time = to_datetime(message.time) if message.HasField("time") else None
    progress = progress_from_message(message.progress)
    match message.WhichOneof("kind"):
        case "item_result":
            result = item_result_from_message(message.item_result)
            return Event(message.sequence, "item_result", item_result=result, progress=progress, time=time)
        case "experiment":
            experiment = experiment_from_message(message.experiment)
            return Event(message.sequence, "experiment", experiment=experiment, progress=progress, time=time)
        case "run_evaluations":
            evaluations = tuple(evaluation_from_message(each) for each in message.run_evaluations.evaluations)
            return Event(
                message.sequence, "run_evaluations", run_evaluations=evaluations, progress=progress, time=time
            )
    return None
