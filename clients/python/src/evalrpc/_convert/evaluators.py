"""Reads evaluators as the server lists them."""

from __future__ import annotations

from evalrpc._convert.values import to_datetime, to_dict
from evalrpc._model.evaluators import BuiltinEvaluator, RegisteredEvaluator
from evalrpc.v1 import evaluator_pb2


def registered_from_message(message: evaluator_pb2.Evaluator) -> RegisteredEvaluator:
    """Reads a registered evaluator."""
    return RegisteredEvaluator(
        name=message.name,
        version=message.version,
        spec=message.spec,
        description=message.description or None,
        create_time=to_datetime(message.create_time) if message.HasField("create_time") else None,
    )


def builtin_from_message(message: evaluator_pb2.Builtin) -> BuiltinEvaluator:
    """Reads one of the server's own evaluators."""
    return BuiltinEvaluator(
        name=message.name,
        level="run" if message.level == evaluator_pb2.EVALUATOR_LEVEL_RUN else "item",
        description=message.description,
        params_schema=to_dict(message.params_schema),
    )
