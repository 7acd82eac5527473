"""Stage: turns what a handler raises into the status that the caller gets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
from google.rpc.status_pb2 import Status

from evalrpc_server.domain.errors import RequestError
from evalrpc_server.rpc.errors import STATUS_KEY, internal_error, status_of, store_error
from evalrpc_server.rpc.interceptors.call import Call
from evalrpc_server.rpc.paging import invalid_page_token
from evalrpc_server.runner.faults import log_fault
from evalrpc_server.store.port import InvalidCursorError, StoreError

_CODES: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}


@asynccontextmanager
async def faults(call: Call) -> AsyncIterator[None]:
    """Answers a request that is not carried out with its status, and a bug with nothing but the bug's id in the log."""
    try:
        yield
    except grpc.aio.AbortError:
        raise
    except RequestError as error:
        await _abort(call, status_of(error))
    except InvalidCursorError:
        await _abort(call, status_of(invalid_page_token()))
    except StoreError as error:
        log_fault(error, f"the store, in {call.method},")
        await _abort(call, status_of(store_error(error)))
    except Exception as error:  # noqa: BLE001  whatever it is, its text is not for callers
        await _abort(call, internal_error(log_fault(error, call.method)))


async def _abort(call: Call, status: Status) -> None:
    """Ends the call with a status, keeping the trailers that are set already."""
    trailers = (*call.context.trailing_metadata(), (STATUS_KEY, status.SerializeToString()))
    await call.context.abort(_CODES[status.code], status.message, trailers)
