"""The servicer of `evalrpc.v1.ExperimentService`."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence

from evalrpc.v1 import (
    comparison_requests_pb2,
    definition_pb2,
    event_pb2,
    experiment_pb2,
    experiment_service_pb2,
    experiment_service_pb2_grpc,
    experiment_spec_pb2,
    second_look_pb2,
)
from evalrpc_server.domain.errors import InvalidRequestError, Violation
from evalrpc_server.domain.experiments import Experiment, State
from evalrpc_server.domain.items import Item
from evalrpc_server.domain.results import ItemResult
from evalrpc_server.domain.spec.experiment import ExperimentSpec
from evalrpc_server.protobuf.documents import Encoding
from evalrpc_server.protobuf.experiments import experiment_to_message, limit_to_message, state_from_number
from evalrpc_server.protobuf.items import read_items
from evalrpc_server.protobuf.spec import evaluators_from_message, spec_from_message
from evalrpc_server.rpc.comparison import compare_experiments, plan_experiment
from evalrpc_server.rpc.context import Context
from evalrpc_server.rpc.definitions import DefinitionList, definitions_page
from evalrpc_server.rpc.encoding import (
    MAX_MESSAGE_BYTES,
    converted,
    encoding_from_number,
    fitting_result,
    published_to_message,
)
from evalrpc_server.rpc.keys import MAX_REQUEST_ID, checked_key, required_id
from evalrpc_server.rpc.paging import page_cursor, page_limit, page_token
from evalrpc_server.rpc.second_looks import evaluate_experiment, retry_experiment
from evalrpc_server.runner.acceptance import Acceptance
from evalrpc_server.runner.comparison.comparisons import Comparisons
from evalrpc_server.runner.manager import Manager
from evalrpc_server.runner.second_looks import SecondLooks
from evalrpc_server.store.port import ExperimentStore, ResultOrder

_PATH = "experiment"
_PAGE_CHARACTERS = 900_000  # at most 4 bytes each, so that a page of text fits into one message

_ORDERS = {
    experiment_service_pb2.ITEM_RESULT_ORDER_UNSPECIFIED: ResultOrder.ITEM,
    experiment_service_pb2.ITEM_RESULT_ORDER_ITEM: ResultOrder.ITEM,
    experiment_service_pb2.ITEM_RESULT_ORDER_COMPLETION: ResultOrder.COMPLETION,
}


class ExperimentServicer(experiment_service_pb2_grpc.ExperimentServiceServicer):
    """Starts, watches, lists and cancels experiments."""

    def __init__(
        self,
        *,
        acceptance: Acceptance,
        manager: Manager,
        store: ExperimentStore,
        comparisons: Comparisons,
        looks: SecondLooks,
        definitions: DefinitionList,
    ) -> None:
        self._definitions = definitions
        self._acceptance = acceptance
        self._looks = looks
        self._comparisons = comparisons
        self._manager = manager
        self._store = store

    async def RunExperiment(
        self, request: experiment_service_pb2.RunExperimentRequest, context: Context
    ) -> AsyncIterator[experiment_service_pb2.RunExperimentResponse]:
        """Starts an experiment and streams its events to the end."""
        encoding = encoding_from_number(request.json_encoding)
        experiment = await self._start(
            request.experiment, request.request_id, stop_if_left=request.cancel_on_disconnect
        )
        ended = False
        try:
            async for event in self._events(experiment.id, 0, encoding):
                ended = event.experiment.state in _FINAL
                yield experiment_service_pb2.RunExperimentResponse(event=event)
        finally:
            if request.cancel_on_disconnect and not ended:
                self._manager.stop(experiment.id)

    async def StartExperiment(
        self, request: experiment_service_pb2.StartExperimentRequest, context: Context
    ) -> experiment_service_pb2.StartExperimentResponse:
        """Starts an experiment and returns once it is stored."""
        experiment = await self._start(request.experiment, request.request_id)
        return experiment_service_pb2.StartExperimentResponse(
            experiment=experiment_to_message(experiment, Encoding.VALUE)
        )

    async def WatchExperiment(
        self, request: experiment_service_pb2.WatchExperimentRequest, context: Context
    ) -> AsyncIterator[experiment_service_pb2.WatchExperimentResponse]:
        """Streams the events behind a sequence to the end."""
        encoding = encoding_from_number(request.json_encoding)
        if request.after_sequence < 0:
            raise InvalidRequestError(
                [Violation("after_sequence", "must not be negative; leave it out for all events")]
            )
        async for event in self._events(required_id(request.id), request.after_sequence, encoding):
            yield experiment_service_pb2.WatchExperimentResponse(event=event)

    async def GetExperiment(
        self, request: experiment_service_pb2.GetExperimentRequest, context: Context
    ) -> experiment_service_pb2.GetExperimentResponse:
        """Returns an experiment."""
        experiment = await self._manager.describe(required_id(request.id))
        message = experiment_to_message(experiment, Encoding.VALUE)
        message.endpoint_limits.extend(
            limit_to_message(limit) for limit in self._manager.limits(experiment.id)
        )
        return experiment_service_pb2.GetExperimentResponse(experiment=message)

    async def ListExperiments(
        self, request: experiment_service_pb2.ListExperimentsRequest, context: Context
    ) -> experiment_service_pb2.ListExperimentsResponse:
        """Returns a page of experiments, newest first."""
        limit = page_limit(request.page_size, default=50, maximum=500)
        arguments = ("experiments", checked_key(request.name, "name"), tuple(request.states))
        page = await self._store.list_experiments(
            limit=limit,
            cursor=page_cursor(request.page_token, *arguments),
            states=[_state(number, place) for place, number in enumerate(request.states)],
            name=request.name,
        )
        return experiment_service_pb2.ListExperimentsResponse(
            experiments=[
                experiment_to_message(await self._manager.refreshed(experiment), Encoding.VALUE)
                for experiment in page.experiments
            ],
            next_page_token=page_token(page.next_cursor, *arguments),
        )

    async def CancelExperiment(
        self, request: experiment_service_pb2.CancelExperimentRequest, context: Context
    ) -> experiment_service_pb2.CancelExperimentResponse:
        """Asks an experiment to stop."""
        experiment = await self._manager.refreshed(await self._manager.cancel(required_id(request.id)))
        return experiment_service_pb2.CancelExperimentResponse(
            experiment=experiment_to_message(experiment, Encoding.VALUE)
        )

    async def ListItemResults(
        self, request: experiment_service_pb2.ListItemResultsRequest, context: Context
    ) -> experiment_service_pb2.ListItemResultsResponse:
        """Returns a page of results."""
        encoding = encoding_from_number(request.json_encoding)
        limit = page_limit(request.page_size, default=100, maximum=1000)
        if request.order not in _ORDERS:
            raise InvalidRequestError(
                [Violation("order", "must be ITEM_RESULT_ORDER_ITEM or ITEM_RESULT_ORDER_COMPLETION")]
            )
        experiment = await self._manager.get(required_id(request.id))
        arguments = ("results", experiment.id, request.order, request.failed_only)
        page = await self._store.read_results(
            experiment.id,
            order=_ORDERS[request.order],
            limit=limit,
            cursor=page_cursor(request.page_token, *arguments),
            failed_only=request.failed_only,
            characters=_PAGE_CHARACTERS,
        )
        token = page_token(page.next_cursor, *arguments)
        size = sum(result.size for result in page.results)
        return await converted(size, lambda: _fitting_page(page.results, token, encoding))

    async def CompareExperiments(
        self, request: comparison_requests_pb2.CompareExperimentsRequest, context: Context
    ) -> comparison_requests_pb2.CompareExperimentsResponse:
        """Sets runs beside a baseline."""
        return await compare_experiments(request, self._comparisons)

    async def PlanExperiment(
        self, request: comparison_requests_pb2.PlanExperimentRequest, context: Context
    ) -> comparison_requests_pb2.PlanExperimentResponse:
        """Computes how large an experiment must be."""
        return await plan_experiment(request, self._comparisons, self._store)

    async def ListDefinitions(
        self, request: definition_pb2.ListDefinitionsRequest, context: Context
    ) -> definition_pb2.ListDefinitionsResponse:
        """Returns a page of the definitions kept on the server."""
        return await definitions_page(self._definitions, request)

    async def EvaluateExperiment(
        self, request: second_look_pb2.EvaluateExperimentRequest, context: Context
    ) -> second_look_pb2.EvaluateExperimentResponse:
        """Starts an experiment that evaluates an earlier one's outputs anew."""
        experiment = await evaluate_experiment(request, self._looks, self._manager)
        return second_look_pb2.EvaluateExperimentResponse(
            experiment=experiment_to_message(experiment, Encoding.VALUE)
        )

    async def RetryExperiment(
        self, request: second_look_pb2.RetryExperimentRequest, context: Context
    ) -> second_look_pb2.RetryExperimentResponse:
        """Starts an experiment that repeats what failed in an earlier one."""
        experiment = await retry_experiment(request, self._looks, self._manager)
        return second_look_pb2.RetryExperimentResponse(
            experiment=experiment_to_message(experiment, Encoding.VALUE)
        )

    async def _start(
        self, message: experiment_spec_pb2.ExperimentSpec, request_id: str, *, stop_if_left: bool = False
    ) -> Experiment:
        fingerprint = ""
        if checked_key(request_id, "request_id"):
            fingerprint = hashlib.sha256(message.SerializeToString(deterministic=True)).hexdigest()
            if joined := await self._manager.join(request_id, fingerprint):
                return joined
        spec, items, violations = await converted(message.ByteSize(), lambda: _read(message, request_id))
        if spec is None or violations:
            evaluators = evaluators_from_message(message)
            raise InvalidRequestError(
                [*violations, *await self._acceptance.find_violations(*evaluators, path=_PATH)]
            )
        experiment = await self._acceptance.accept(spec, request_id=request_id, path=_PATH)
        return await self._manager.start(
            experiment,
            items=items,
            request_id=request_id,
            fingerprint=fingerprint,
            stop_if_left=stop_if_left,
        )

    async def _events(
        self, experiment_id: str, after: int, encoding: Encoding
    ) -> AsyncIterator[event_pb2.ExperimentEvent]:
        async for published in self._manager.watch(experiment_id, after):
            yield await published_to_message(published, encoding)


_FINAL = {
    experiment_pb2.EXPERIMENT_STATE_SUCCEEDED,
    experiment_pb2.EXPERIMENT_STATE_FAILED,
    experiment_pb2.EXPERIMENT_STATE_CANCELLED,
}


def _read(
    message: experiment_spec_pb2.ExperimentSpec, request_id: str
) -> tuple[ExperimentSpec | None, list[Item], list[Violation]]:
    """Reads the spec and its inline items, which are taken out of the message, and all that is wrong with them."""
    violations: list[Violation] = []
    if len(request_id) > MAX_REQUEST_ID:
        violations.append(Violation("request_id", f"must be at most {MAX_REQUEST_ID} characters"))
    items: list[Item] = []
    count = None
    if message.WhichOneof("data") == "items":
        place = f"{_PATH}.items.items"
        items, found = read_items(message.items.items, path=place)
        violations.extend(found)
        count = len(message.items.items) or 1
        if not message.items.items:
            violations.append(Violation(place, "must hold at least one item"))
        message.ClearField("items")
    spec, found = spec_from_message(message, item_count=count, path=_PATH)
    return spec, items, [*found, *violations]


def _fitting_page(
    results: Sequence[ItemResult], token: str, encoding: Encoding
) -> experiment_service_pb2.ListItemResultsResponse:
    """Writes a page of results; as text where it would not fit into one message otherwise."""
    response = experiment_service_pb2.ListItemResultsResponse(
        item_results=[fitting_result(result, encoding) for result in results], next_page_token=token
    )
    if encoding is not Encoding.TEXT and response.ByteSize() > MAX_MESSAGE_BYTES:
        return _fitting_page(results, token, Encoding.TEXT)
    return response


def _state(number: experiment_pb2.ExperimentState.ValueType, place: int) -> State:
    state = state_from_number(number)
    if state is None:
        raise InvalidRequestError([Violation(f"states[{place}]", "must be a state other than UNSPECIFIED")])
    return state
