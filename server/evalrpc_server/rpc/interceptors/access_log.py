"""Stage: writes one line about every call that has ended."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import unquote

from evalrpc_server.rpc.errors import shortened
from evalrpc_server.rpc.interceptors.call import Call, outcome

logger = logging.getLogger(__name__)

CLIENT_KEY = "evalrpc-client"
"""The metadata in which clients name themselves, like `python/0.1.0`."""

_MAX_CLIENT_CHARACTERS = 64


@asynccontextmanager
async def access_log(call: Call) -> AsyncIterator[None]:
    """Logs method, code, duration, messages, peer, client and user; calls about the server itself at debug level."""
    begin = time.perf_counter()
    error: BaseException | None = None
    try:
        yield
    except BaseException as raised:
        error = raised
        raise
    finally:
        level = logging.DEBUG if call.about_server else logging.INFO
        if logger.isEnabledFor(level):
            code = outcome(call, error)
            logger.log(
                level,
                "%s %s",
                call.method,
                code.name,
                extra={
                    "rpc_method": call.method,
                    "rpc_code": code.name,
                    "duration_ms": round((time.perf_counter() - begin) * 1000, 3),
                    "received": call.received,
                    "sent": call.sent,
                    "peer": unquote(call.peer),
                    "client": shortened(call.header(CLIENT_KEY), _MAX_CLIENT_CHARACTERS),
                    "user": call.user,
                },
            )
