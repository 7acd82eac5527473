"""What targets are made with in tests."""

from __future__ import annotations

from evalrpc_server.domain.clock import SystemClock
from evalrpc_server.outbound.outbound import Outbound
from evalrpc_server.targets.registry import TargetResources
from evalrpc_server.workers.hub import Workers


def resources(outbound: Outbound) -> TargetResources:
    """Returns the way to endpoints, and no worker."""
    return TargetResources(outbound=outbound, workers=Workers(b"key", SystemClock()))
