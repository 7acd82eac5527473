"""Stage: gives every call an id, by which the caller and the log speak of it."""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from evalrpc_server.logs import bind
from evalrpc_server.rpc.interceptors.call import Call

TRAILER = "evalrpc-request-id"
"""The trailer that tells the caller the id."""

_ACCEPTED = ("evalrpc-request-id", "x-request-id")
_SANE = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")


@asynccontextmanager
async def request_id(call: Call) -> AsyncIterator[None]:
    """Takes over the caller's id if it is fit for a log, else makes one; sets the trailer and the log's field."""
    offered = (call.header(key) for key in _ACCEPTED)
    call.request_id = next(filter(_SANE.fullmatch, offered), None) or f"req_{secrets.token_hex(8)}"
    call.context.set_trailing_metadata(((TRAILER, call.request_id),))
    bind(request_id=call.request_id)
    yield
