"""Calls about definitions."""

from __future__ import annotations

from collections.abc import Iterator

from evalrpc._convert.definitions import definition_from_message
from evalrpc._model.definitions import Definition
from evalrpc._sync.channel import ChannelOwner
from evalrpc.v1 import definition_pb2, experiment_service_pb2_grpc


class DefinitionCalls(ChannelOwner):
    """Lists the experiments that are kept on the server."""

    def list_definitions(self, *, page_size: int | None = None) -> Iterator[Definition]:
        """Yields the experiments kept on the server for webhooks, by name.

        Args:
            page_size: how many to ask for at once.
        """
        stub = experiment_service_pb2_grpc.ExperimentServiceStub(self._channel)
        request = definition_pb2.ListDefinitionsRequest(page_size=page_size or 0)
        for page in self._pages(stub.ListDefinitions, request):
            for definition in page.definitions:
                yield definition_from_message(definition)
