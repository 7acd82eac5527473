"""The client itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Literal, Unpack

import grpc

from evalrpc import _requests as requests
from evalrpc._convert.experiments import experiment_from_message
from evalrpc._convert.item_results import item_result_from_message
from evalrpc._errors import error_from_call
from evalrpc._model.evaluators import Upload
from evalrpc._model.experiment import Experiment, ExperimentState
from evalrpc._model.item_result import ItemResult
from evalrpc._model.result import ExperimentResult
from evalrpc._resumption import DEFAULT_PATIENCE, Resumption
from evalrpc._run import RunState
from evalrpc._spec.data import (
    Data,
    ItemLike,
    LangfuseDataset,
    OneTime,
    dataset_of,
    inline_or_rest,
    item_messages,
)
from evalrpc._spec.experiment import ExperimentFields, SpecLike, build_spec, large_items, set_reference
from evalrpc._sync.comparisons import ComparisonCalls
from evalrpc._sync.definitions import DefinitionCalls
from evalrpc._sync.evaluators import EvaluatorCalls
from evalrpc._sync.langfuse_style import LangfuseStyle
from evalrpc._sync.run import Run, Stream
from evalrpc._sync.second_looks import SecondLookCalls
from evalrpc._sync.upload import upload_items
from evalrpc._sync.workers import WorkerCalls
from evalrpc._uploads import upload_messages
from evalrpc._worker.local import LocalFunctions
from evalrpc.v1 import (
    experiment_service_pb2,
    experiment_spec_pb2,
    item_pb2,
)


class Client(ComparisonCalls, DefinitionCalls, EvaluatorCalls, LangfuseStyle, SecondLookCalls, WorkerCalls):
    """A connection to an evalrpc server. Safe to use from several threads; close it, or use it in a `with` block.

    Nothing is sent on construction: a server that cannot be reached shows with the first call. Every call may raise
    `EvalrpcError`, whose subclasses tell what went wrong.
    """

    def run(
        self,
        spec: SpecLike | None = None,
        *,
        data: Data | None = None,
        request_id: str | None = None,
        cancel_on_disconnect: bool = False,
        patience: float = DEFAULT_PATIENCE,
        collect: bool = True,
        **fields: Unpack[ExperimentFields],
    ) -> Run:
        """Returns a run: iterate over it to start an experiment and to see its events, ask `result()` for its end.

        Items above 2 MiB in all are uploaded first. The stream resumes by itself after a cut. A task and evaluators that
        are functions are hosted by this process while the run is followed: leave it, and the experiment waits for them.

        Args:
            spec: a whole spec; what else is given here overrides it.
            data: items (dicts with the keys input, expected_output, metadata and id), an upload or its id, or a
                `LangfuseDataset`. An iterator is read once, as far as there is room for its items.
            request_id: makes a repeat of the call join the experiment; a new one by default.
            cancel_on_disconnect: whether the end of the stream, a cut included, cancels the experiment.
            patience: for how many seconds without a message to try to resume; 0 for not at all.
            collect: whether to keep the results for `result()`, which otherwise reads them from the server again.
            **fields: what the experiment is made of; see `ExperimentFields`.

        Raises:
            InvalidRequestError: something does not have the contract's form.
            TypeError: an argument is unknown or of a wrong type.
            OSError: the spec's file cannot be read.
        """
        functions = LocalFunctions()
        message, request_id = build_spec(spec, functions.take(fields), request_id)
        unread = OneTime(data)

        def prepare() -> None:
            self._set_data(message, unread.take())

        def open_stream(state: RunState) -> Stream:
            if state.resumption.experiment_id is not None:
                return self._watch(state)
            self._check_open()
            request = requests.run_request(message, request_id, cancel_on_disconnect=cancel_on_disconnect)
            return self._experiments.RunExperiment(request, metadata=self._connection.metadata)

        hosting = partial(functions.serving, self._connection)
        return self._run(
            Resumption(patience=patience), prepare, open_stream, collect=collect, hosting=hosting
        )

    def start(
        self,
        spec: SpecLike | None = None,
        *,
        data: Data | None = None,
        request_id: str | None = None,
        **fields: Unpack[ExperimentFields],
    ) -> Experiment:
        """Starts an experiment and returns once it is stored. Takes what `run()` takes, and raises what it raises.

        Raises:
            EvalrpcError: the experiment was not accepted.
        """
        message, request_id = build_spec(spec, fields, request_id)
        self._set_data(message, data)
        request = experiment_service_pb2.StartExperimentRequest(experiment=message, request_id=request_id)
        return experiment_from_message(self._call(self._experiments.StartExperiment, request).experiment)

    def watch(
        self,
        experiment_id: str,
        *,
        after_sequence: int = 0,
        patience: float = DEFAULT_PATIENCE,
        collect: bool = True,
    ) -> Run:
        """Returns a run to follow an experiment by, from the event behind `after_sequence` to the last.

        Args:
            experiment_id: the experiment.
            after_sequence: the last event already seen; 0 for all.
            patience: for how many seconds without a message to try to resume; 0 for not at all.
            collect: whether to keep the results for `result()`, which otherwise reads them from the server again.
        """
        resumption = Resumption(experiment_id=experiment_id, after_sequence=after_sequence, patience=patience)
        return self._run(resumption, None, self._watch, collect=collect)

    def result(self, experiment_id: str) -> ExperimentResult:
        """Returns what became of an experiment, as far as it is.

        Raises:
            NotFoundError: there is no such experiment.
        """
        experiment = self.get(experiment_id)
        return ExperimentResult.of(experiment, list(self.list_results(experiment_id, page_size=1000)))

    def get(self, experiment_id: str) -> Experiment:
        """Returns an experiment as it is now.

        Raises:
            NotFoundError: there is no such experiment.
        """
        request = experiment_service_pb2.GetExperimentRequest(id=experiment_id)
        return experiment_from_message(self._call(self._experiments.GetExperiment, request).experiment)

    def list(
        self,
        *,
        name: str | None = None,
        states: Sequence[ExperimentState | str] = (),
        page_size: int | None = None,
    ) -> Iterator[Experiment]:
        """Yields experiments, the latest first, page by page.

        Args:
            name: only experiments of this name.
            states: only experiments in one of these states.
            page_size: how many to ask for at once.
        """
        request = requests.list_request(name, states, page_size)
        for page in self._pages(self._experiments.ListExperiments, request):
            for experiment in page.experiments:
                yield experiment_from_message(experiment)

    def cancel(self, experiment_id: str) -> Experiment:
        """Asks an experiment to end; items in flight are cut off. Without effect on one that has ended.

        Raises:
            NotFoundError: there is no such experiment.
        """
        request = experiment_service_pb2.CancelExperimentRequest(id=experiment_id)
        return experiment_from_message(self._call(self._experiments.CancelExperiment, request).experiment)

    def list_results(
        self,
        experiment_id: str,
        *,
        order: Literal["item", "completion"] = "item",
        failed_only: bool = False,
        page_size: int | None = None,
    ) -> Iterator[ItemResult]:
        """Yields the results that an experiment has so far, page by page.

        Args:
            experiment_id: the experiment.
            order: of the items in the data, or of completion.
            failed_only: only results whose task failed.
            page_size: how many to ask for at once.

        Raises:
            NotFoundError: there is no such experiment.
        """
        request = requests.list_results_request(experiment_id, order, page_size, failed_only=failed_only)
        for page in self._pages(self._experiments.ListItemResults, request):
            for result in page.item_results:
                yield item_result_from_message(result)

    def upload(self, items: Iterable[ItemLike], *, description: str = "") -> Upload:
        """Stores items on the server, of any number, for any number of experiments.

        The items are read in this thread, and only as fast as the server stores them.

        Args:
            items: dicts with the keys input, expected_output, metadata and id, of which only input is required.
            description: what the items are.

        Raises:
            InvalidRequestError: an item is wrong; nothing is stored.
        """
        return self._upload(item_messages(items), description)

    def _run(
        self,
        resumption: Resumption,
        prepare: Callable[[], None] | None,
        open_stream: Callable[[RunState], Stream],
        *,
        collect: bool,
        hosting: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> Run:
        return Run(
            RunState(resumption, collect=collect),
            address=self.address,
            prepare=prepare,
            open_stream=open_stream,
            fetch_result=self.result,
            hosting=hosting,
        )

    def _run_to_the_end(self, data: Data | None, fields: ExperimentFields) -> ExperimentResult:
        return self.run(data=data, **fields).result()

    def _watch(self, state: RunState) -> Stream:
        self._check_open()
        return self._experiments.WatchExperiment(state.watch_request(), metadata=self._connection.metadata)

    def _set_data(self, message: experiment_spec_pb2.ExperimentSpec, data: Data | None) -> None:
        data = large_items(message) if data is None else data
        if data is None:
            return
        data = dataset_of(data) or data
        if isinstance(data, str | Upload | LangfuseDataset):
            set_reference(message, data)
            return
        inline, rest = inline_or_rest(item_messages(data))
        if inline is not None:
            message.items.CopyFrom(inline)
        else:
            message.upload = self._upload(rest, "").id

    def _upload(self, items: Iterator[item_pb2.Item], description: str) -> Upload:
        try:
            return upload_items(
                self._datasets.UploadItems,
                upload_messages(items, description),
                metadata=self._connection.metadata,
            )
        except grpc.RpcError as error:
            raise error_from_call(error, self.address) from error
