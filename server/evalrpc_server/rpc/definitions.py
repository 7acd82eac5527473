"""Pages of definitions as messages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Protocol

from google.protobuf import json_format

from evalrpc.v1 import definition_pb2, experiment_spec_pb2
from evalrpc_server.domain.credentials import redact_credentials
from evalrpc_server.domain.definitions import Definition
from evalrpc_server.protobuf.values import timestamp
from evalrpc_server.rpc.paging import page_cursor, page_limit, page_token


class DefinitionList(Protocol):
    """Where definitions are listed."""

    async def list(self) -> Sequence[Definition]:
        """Returns all definitions, by name."""


async def definitions_page(
    definitions: DefinitionList, request: definition_pb2.ListDefinitionsRequest
) -> definition_pb2.ListDefinitionsResponse:
    """Returns a page of definitions; literal credentials are not shown."""
    limit = page_limit(request.page_size, default=50, maximum=500)
    after = page_cursor(request.page_token, "definitions")
    rest = [each for each in await definitions.list() if not after or each.name > json.loads(after)]
    page = rest[:limit]
    return definition_pb2.ListDefinitionsResponse(
        definitions=[_to_message(each) for each in page],
        next_page_token=page_token(json.dumps(page[-1].name) if len(rest) > limit else "", "definitions"),
    )


def _to_message(definition: Definition) -> definition_pb2.Definition:
    message = definition_pb2.Definition(
        name=definition.name, problem=definition.problem, update_time=timestamp(definition.update_time)
    )
    if definition.fields is not None:
        message.experiment.CopyFrom(
            json_format.ParseDict(redact_credentials(definition.fields), experiment_spec_pb2.ExperimentSpec())
        )
    return message
