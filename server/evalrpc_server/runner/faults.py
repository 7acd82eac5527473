"""What becomes of a bug: an error with an id for the caller, and the cause beside that id in the log."""

from __future__ import annotations

import logging
import secrets

from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.reasons import Reason

logger = logging.getLogger(__name__)


def log_fault(error: BaseException, doing: str) -> str:
    """Logs an unexpected exception and returns the id under which it stands in the log."""
    error_id = f"err_{secrets.token_hex(8)}"
    logger.error("%s failed", doing, exc_info=error, extra={"error_id": error_id})
    return error_id


def fault(error: BaseException, doing: str) -> Error:
    """Logs an unexpected exception and returns what may be said of it: an id, never its text."""
    error_id = log_fault(error, doing)
    return Error(
        reason=Reason.INTERNAL,
        message=f"The server failed to carry this out; its log tells why under {error_id}.",
        metadata={"error_id": error_id},
    )
