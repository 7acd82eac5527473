"""What callers saw of a server that was killed again and again, kept so that it can be judged afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import grpc

from evalrpc.v1 import event_pb2, experiment_service_pb2
from tests.servers import Stubs
from tests.service.calls import FINAL

GONE = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
"""How a call ends whose server was killed."""


@dataclass
class Watcher:
    """Watches one experiment through all restarts, and goes on behind the last event that it got."""

    experiment_id: str
    events: list[event_pb2.ExperimentEvent] = field(default_factory=list)
    resumptions: int = 0

    @property
    def done(self) -> bool:
        """Whether it has seen the experiment's end."""
        return bool(self.events) and self.events[-1].experiment.state in FINAL

    async def watch(self, stubs: Stubs) -> None:
        """Watches until the experiment's or the server's end."""
        if self.done:
            return
        after = self.events[-1].sequence if self.events else 0
        self.resumptions += after > 0
        request = experiment_service_pb2.WatchExperimentRequest(id=self.experiment_id, after_sequence=after)
        try:
            async for response in stubs.experiments.WatchExperiment(request):
                if not response.event.HasField("checkpoint"):
                    self.events.append(response.event)
        except grpc.aio.AioRpcError as error:
            if error.code() not in GONE:
                raise


@dataclass
class History:
    """Everything that a campaign's callers saw.

    Attributes:
        items: how many items each experiment has.
        experiments: ids by the request id that started them, as each answer told.
        watchers: in no order.
        deaths: of servers, by what killed them.
    """

    items: int
    experiments: dict[str, set[str]] = field(default_factory=dict)
    watchers: list[Watcher] = field(default_factory=list)
    deaths: Counter[str] = field(default_factory=Counter)

    def of(self, experiment_id: str) -> list[Watcher]:
        """Returns the watchers of an experiment."""
        return [watcher for watcher in self.watchers if watcher.experiment_id == experiment_id]

    @property
    def ids(self) -> Sequence[str]:
        """The ids of all experiments."""
        return sorted({watcher.experiment_id for watcher in self.watchers})
