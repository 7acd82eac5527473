"""A long-lived worker: hosts functions for runs that others start, here, with grpcurl, or from Langfuse's page."""

from __future__ import annotations

import logging
import time
from typing import Any

from evalrpc import Worker

logging.basicConfig(level=logging.INFO)  # the worker tells when it connects, loses the connection, drains
worker = Worker(max_in_flight=16)


@worker.task
def shout(*, item: Any) -> str:
    """Shouts. A plain function: it runs in a thread, and may block."""
    time.sleep(0.01)
    return str(item.input).upper()


@worker.evaluator(name="loud")
async def is_loud(*, output: str) -> bool:
    """Tells whether it was loud. A coroutine function: it runs on the worker's loop."""
    return output == output.upper()


worker.run()  # until SIGTERM or SIGINT; then it finishes what it has, and leaves
print("gone after", worker.status.completed)
