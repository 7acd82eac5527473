"""Reads definitions as the server lists them."""

from __future__ import annotations

from google.protobuf import json_format

from evalrpc._convert.values import to_datetime
from evalrpc._model.definitions import Definition
from evalrpc.v1 import definition_pb2


def definition_from_message(message: definition_pb2.Definition) -> Definition:
    """Reads a definition."""
    experiment = (
        json_format.MessageToDict(message.experiment, preserving_proto_field_name=True)
        if message.HasField("experiment")
        else None
    )
    return Definition(message.name, experiment, message.problem, to_datetime(message.update_time))
