"""Asking a target that a spec describes, once or many times."""

from __future__ import annotations

import json
from contextlib import aclosing, asynccontextmanager
from typing import Any

from evalrpc_server.domain.documents import Document
from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.experiments import ExperimentRef
from evalrpc_server.domain.items import Item
from evalrpc_server.domain.spec.tasks import TaskSpec
from evalrpc_server.outbound.outbound import Outbound
from evalrpc_server.outbound.secrets import Secrets
from evalrpc_server.targets.port import TaskAnswer, TaskCall, TaskError
from evalrpc_server.targets.registry import open_target
from tests.targets.resources import resources

EXPERIMENT = ExperimentRef(id="exp_1", name="E", run_name="run 1")
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"


def make_call(value: Any, *, attempt: int = 1, metadata: Any = None) -> TaskCall:
    """A call for an item with this input."""
    return TaskCall(
        experiment=EXPERIMENT,
        item=Item(
            index=0,
            id="item 1",
            input=Document(json.dumps(value)),
            metadata=None if metadata is None else Document(json.dumps(metadata)),
        ),
        trial=2,
        attempt=attempt,
        timeout=30,
        trace_id=TRACE_ID,
        span_id="b7ad6b7169203331",
    )


@asynccontextmanager
async def way_out(**secrets: str):
    """The way to endpoints, with secrets by name."""
    environment = {f"EVALRPC_SECRET_{name}": value for name, value in secrets.items()}
    outbound = Outbound(secrets=Secrets(environment=environment))
    try:
        yield outbound
    finally:
        await outbound.aclose()


class Asker:
    """Asks targets of one kind that share a part of their spec."""

    def __init__(self, outbound: Outbound, kind: str, **spec: Any) -> None:
        self._outbound = outbound
        self._kind = kind
        self._spec = spec

    @property
    def slowed(self) -> bool:
        """Whether calls are held back since the endpoint said that they come too fast."""
        return bool(self._outbound.limits())

    async def answer(self, *values: Any, attempt: int = 1, metadata: Any = None, **spec: Any) -> TaskAnswer:
        """Asks one target for each value in turn; returns the last answer."""
        whole = TaskSpec.model_validate({self._kind: {**self._spec, **spec}})
        target = open_target(whole, resources(self._outbound))
        answer = None
        async with aclosing(target):
            for value in values:
                answer = await target.call(make_call(value, attempt=attempt, metadata=metadata))
        assert answer is not None
        return answer

    async def output(self, *values: Any, **more: Any) -> Any:
        """The last answer's output, parsed."""
        return json.loads((await self.answer(*values, **more)).output)

    async def failure(self, *values: Any, **more: Any) -> TaskError:
        """The failure of a call."""
        try:
            answer = await self.answer(*values, **more)
        except TaskError as failure:
            return failure
        raise AssertionError(f"an output in place of a failure: {answer.output}")

    async def error(self, *values: Any, **more: Any) -> Error:
        """The error of a failure."""
        return (await self.failure(*values, **more)).error
