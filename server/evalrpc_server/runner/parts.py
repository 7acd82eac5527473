"""What a run works with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from msgspec import Struct

from evalrpc_server.domain.limits import EndpointLimit
from evalrpc_server.runner.collection import Collection
from evalrpc_server.runner.earlier import EarlierResults
from evalrpc_server.runner.hosting import Hosting
from evalrpc_server.runner.judging import RunJudge
from evalrpc_server.runner.pipeline import Pipeline


class Parts(Struct, frozen=True, kw_only=True):
    """The parts of one run, all built from the experiment's spec.

    Attributes:
        hosting: where it needs workers.
        earlier: where it looks at an earlier experiment's results again.
        limits: tells how fast the endpoints may be called.
    """

    pipeline: Pipeline
    run_judges: Sequence[RunJudge]
    collection: Collection
    hosting: Hosting | None = None
    earlier: EarlierResults | None = None
    limits: Callable[[], Sequence[EndpointLimit]] = tuple

    def tell_stored(self, unit: str) -> None:
        """Tells workers that what they reported is stored: of a trial, by its trace id, or of the run, by its own id."""
        if self.hosting:
            self.hosting.stored(unit)

    async def aclose(self) -> None:
        """Releases what the parts hold."""
        await self.pipeline.aclose()
        await asyncio.gather(*(judge.evaluator.aclose() for judge in self.run_judges))
        if self.hosting:
            self.hosting.close()
