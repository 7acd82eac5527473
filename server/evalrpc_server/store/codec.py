"""Domain values as the text that is stored.

JSON by msgspec, straight from the domain's structs, so that a field added to them with a default is stored from then on
and older rows stay readable. What is stored once elsewhere is left out: an experiment's spec, a result's item. Specs are
written and read by their own models.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import msgspec
from msgspec import NODEFAULT, Struct, defstruct, field
from msgspec.structs import FieldInfo, fields
from pydantic import BaseModel, ValidationError

from evalrpc_server.domain.events import Checkpoint, Event, EventBody, RunEvaluations
from evalrpc_server.domain.experiments import Experiment, Progress
from evalrpc_server.domain.items import Item
from evalrpc_server.domain.results import ItemResult
from evalrpc_server.domain.spec.experiment import ExperimentSpec
from evalrpc_server.domain.statistics.scores import Score
from evalrpc_server.store.port import StoreError

EXPERIMENT = "experiment"
RESULT = "result"
RUN_EVALUATIONS = "run_evaluations"

Model = TypeVar("Model", bound=BaseModel)


def _write_model(value: object) -> msgspec.Raw:
    if isinstance(value, BaseModel):
        return msgspec.Raw(value.model_dump_json(exclude_none=True).encode("utf-8"))
    raise NotImplementedError(f"{type(value).__name__} cannot be stored")


def _read_model(model: type, value: object) -> object:
    if issubclass(model, BaseModel):
        return model.model_validate(value)
    raise NotImplementedError(f"{model.__name__} cannot be read")


_encode = msgspec.json.Encoder(enc_hook=_write_model).encode


def _without(model: type[Struct], left_out: str) -> type[Struct]:
    """Makes a struct like another one, without one of its fields."""
    columns = [(each.name, each.type, _default(each)) for each in fields(model) if each.name != left_out]
    return defstruct(f"Stored{model.__name__}", columns, kw_only=True)


def _default(column: FieldInfo) -> Any:
    if column.default_factory is not NODEFAULT:
        return field(default_factory=column.default_factory)
    return field() if column.default is NODEFAULT else field(default=column.default)


_StoredExperiment: Any = _without(Experiment, "spec")
_StoredResult: Any = _without(ItemResult, "item")
_EXPERIMENT_FIELDS: tuple[str, ...] = _StoredExperiment.__struct_fields__
_RESULT_FIELDS: tuple[str, ...] = _StoredResult.__struct_fields__


class _ExperimentPayload(Struct, kw_only=True):
    time: datetime
    progress: Progress
    body: _StoredExperiment


class _ResultPayload(Struct, kw_only=True):
    time: datetime
    progress: Progress
    body: _StoredResult


class _RunEvaluationsPayload(Struct, kw_only=True):
    time: datetime
    progress: Progress
    body: RunEvaluations


_decode_experiment = msgspec.json.Decoder(_StoredExperiment, dec_hook=_read_model).decode
_decoders: Mapping[str, msgspec.json.Decoder[Any]] = {
    EXPERIMENT: msgspec.json.Decoder(_ExperimentPayload, dec_hook=_read_model),
    RESULT: msgspec.json.Decoder(_ResultPayload),
    RUN_EVALUATIONS: msgspec.json.Decoder(_RunEvaluationsPayload),
}


class _StoredEvaluation(Struct, gc=False):
    """What statistics read of an evaluation."""

    name: str
    value: float | bool | str | None = None
    error: Any = None


class _StoredScores(Struct):
    evaluations: tuple[_StoredEvaluation, ...] = ()


class _ScoresPayload(Struct):
    body: _StoredScores


_decode_scores = msgspec.json.Decoder(_ScoresPayload).decode


def decode_scores(payload: str) -> tuple[Score, ...]:
    """Reads the scores in the payload of a result, and passes over everything else."""
    try:
        stored = _decode_scores(payload)
    except msgspec.MsgspecError as error:
        raise StoreError(f"a stored row is not readable by this release: {error}") from error
    return tuple([Score(each.name, each.value, each.error is not None) for each in stored.body.evaluations])


def encode_experiment(experiment: Experiment) -> str:
    """Writes an experiment without its spec."""
    return _text(_parts(experiment, _EXPERIMENT_FIELDS))


def decode_experiment(text: str, spec: ExperimentSpec) -> Experiment:
    """Reads what `encode_experiment` wrote."""
    return _experiment(_read(partial(_decode_experiment, text)), spec)


def encode_event(event: Event) -> tuple[str, str]:
    """Returns an event's kind and payload: all but its sequence, and without what is stored elsewhere.

    Raises:
        StoreError: the event is a checkpoint, which is never stored, or holds text that is not Unicode.
    """
    kind, body = _stored_body(event.body)
    return kind, _text({"time": event.time, "progress": event.progress, "body": body})


def _stored_body(body: EventBody) -> tuple[str, object]:
    match body:
        case ItemResult():
            return RESULT, _parts(body, _RESULT_FIELDS)
        case Experiment():
            return EXPERIMENT, _parts(body, _EXPERIMENT_FIELDS)
        case RunEvaluations():
            return RUN_EVALUATIONS, body
        case Checkpoint():
            raise StoreError("a checkpoint is not stored")


def decode_event(
    sequence: int, kind: str, payload: str, *, item: Item | None, spec: ExperimentSpec | None
) -> Event:
    """Reads what `encode_event` wrote.

    Args:
        sequence: the event's place in the log.
        kind: as `encode_event` returned it.
        payload: as `encode_event` returned it.
        item: the result's item, where the event is a result.
        spec: the experiment's spec, where the event is a change of its state.
    """
    if kind not in _decoders:
        raise StoreError(f"the store holds an event of the kind {kind!r}, which this release does not know")
    stored = _read(partial(_decoders[kind].decode, payload))
    body: EventBody = stored.body
    if kind == RESULT:
        if item is None:
            raise StoreError("the item of a stored result is missing")
        body = ItemResult(item=item, **_parts(body, _RESULT_FIELDS))
    elif kind == EXPERIMENT:
        if spec is None:
            raise StoreError("the spec of a stored experiment is missing")
        body = _experiment(body, spec)
    return Event(sequence=sequence, time=stored.time, progress=stored.progress, body=body)


def encode_model(model: BaseModel) -> str:
    """Writes a spec."""
    return model.model_dump_json()


def decode_model(model: type[Model], text: str) -> Model:
    """Reads a spec."""
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise StoreError(f"a stored {model.__name__} is not readable by this release") from error


def _parts(value: object, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(value, name) for name in names}


def _experiment(stored: object, spec: ExperimentSpec) -> Experiment:
    return Experiment(spec=spec, **_parts(stored, _EXPERIMENT_FIELDS))


def _text(value: object) -> str:
    try:
        return _encode(value).decode("utf-8")
    except UnicodeEncodeError as error:
        raise StoreError("text with a lone surrogate cannot be stored") from error


def _read(decode: Any) -> Any:
    try:
        return decode()
    except msgspec.MsgspecError as error:
        raise StoreError(f"a stored row is not readable by this release: {error}") from error
