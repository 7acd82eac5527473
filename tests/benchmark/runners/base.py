"""What the harness wants to know of a runner."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Server:
    """The runner's own long-running process."""

    pid: int
    address: str


class Runner(ABC):
    """Something that runs experiments: a driver process, and perhaps a server of its own behind it.

    Attributes:
        name: As asked for with `--runners`.
        spans_per_item: How many it records to Langfuse.
    """

    name: str
    spans_per_item = 1

    def prepare(self) -> None:  # noqa: B027 - optional
        """Installs what the runner needs; nothing when it is there already."""

    def server(self, directory: Path, langfuse_url: str) -> AbstractContextManager[Server | None]:
        """Runs the server of a runner that has one, with its data in `directory`, recording to Langfuse if given."""
        return nullcontext()

    def records_to_langfuse(self, *, hosted: bool) -> bool:
        """Tells whether the runner traces to Langfuse in a workload; the sink is measured only then."""
        return True

    @abstractmethod
    def driver(self) -> list[str]:
        """The command of the driver, to which the job's file is added."""
