"""Experiments and datasets as the Langfuse SDK has them."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cached_property
from typing import Unpack

from evalrpc._model.datasets import Dataset, DatasetItem
from evalrpc._model.result import ExperimentResult
from evalrpc._spec.data import Data, LangfuseDataset
from evalrpc._spec.experiment import ExperimentFields
from evalrpc._sync.datasets import DatasetCalls


class LangfuseStyle(DatasetCalls):
    """`run_experiment` and `get_dataset`, which mean what they mean in the Langfuse SDK."""

    @abstractmethod
    def _run_to_the_end(self, data: Data | None, fields: ExperimentFields) -> ExperimentResult: ...

    def run_experiment(
        self, *, data: Data | None = None, **fields: Unpack[ExperimentFields]
    ) -> ExperimentResult:
        """Runs an experiment to its end: `run(...).result()`.

        Args:
            data: as in `run()`; dataset items are run as part of their dataset.
            **fields: what the experiment is made of; see `ExperimentFields`.

        Raises:
            EvalrpcError: the experiment was not accepted, or could not be followed.
        """
        return self._run_to_the_end(data, fields)

    def get_dataset(
        self, name: str, *, version: datetime | None = None, langfuse_project: str | None = None
    ) -> LoadedDataset:
        """Returns a dataset in Langfuse.

        Args:
            name: the dataset's name.
            version: the dataset as it was at this time.
            langfuse_project: the project, by its name on the server; the only one by default.

        Raises:
            NotFoundError: there is no such dataset.
        """
        info = self._dataset(name, langfuse_project)
        known = {each.name: getattr(info, each.name) for each in fields(Dataset)}
        return LoadedDataset(**known, version=version, langfuse_project=langfuse_project, client=self)


@dataclass(frozen=True, kw_only=True)
class LoadedDataset(Dataset):
    """A dataset in Langfuse with its items, and a way to run an experiment over it.

    Attributes:
        client: what reads it.
        version: the time as of which it is read; None for the latest.
        langfuse_project: the project that it is in; None for the only one.
    """

    client: LangfuseStyle
    version: datetime | None = None
    langfuse_project: str | None = None

    @cached_property
    def items(self) -> list[DatasetItem]:
        """All items, read when first asked for; `client.list_dataset_items()` yields them as they arrive."""
        chosen = LangfuseDataset(name=self.name, version=self.version)
        return list(self.client.list_dataset_items(chosen, langfuse_project=self.langfuse_project))

    def run_experiment(self, **fields: Unpack[ExperimentFields]) -> ExperimentResult:
        """Runs an experiment over the dataset, which the server reads while it runs.

        Args:
            **fields: what the experiment is made of; see `ExperimentFields`.

        Raises:
            EvalrpcError: the experiment was not accepted, or could not be followed.
        """
        fields.setdefault("langfuse_project", self.langfuse_project)
        chosen = LangfuseDataset(name=self.name, version=self.version)
        return self.client.run_experiment(data=chosen, **fields)
