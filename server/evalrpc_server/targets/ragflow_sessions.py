"""RAGFlow's sessions: conversations that the server keeps and sends along with each further question.

A trial gets one of its own. Sessions are deleted by their ids, never otherwise: up to 0.25 the server takes a request that
names none for a request to delete them all, those of its users included.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import msgspec

from evalrpc_server.outbound.endpoint import HttpEndpoint
from evalrpc_server.outbound.failures import CallFailedError
from evalrpc_server.targets.json_paths import text_at
from evalrpc_server.targets.port import TaskError
from evalrpc_server.targets.ragflow_answers import data_of
from evalrpc_server.targets.vendors import ask, invalid_answer

_logger = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode

_DELETE_SECONDS = 180.0  # more than the endpoint's rate limiter may hold a call back
_CLOSE_SECONDS = 30.0
_MOST_DELETING = 64
_LONGEST_NAME = 200


class Sessions:
    """Creates sessions, and deletes them behind the trials' backs, so that it adds nothing to a trial's duration."""

    def __init__(self, endpoint: HttpEndpoint) -> None:
        self._endpoint = endpoint
        self._deleting: set[asyncio.Task[None]] = set()

    async def create(self, name: str, user_id: str, headers: Sequence[tuple[bytes, bytes]]) -> str:
        """Creates a session and returns its id.

        Raises:
            CallFailedError: there is no answer.
            TaskError: the server created none.
        """
        body = {"name": name[:_LONGEST_NAME], **({"user_id": user_id} if user_id else {})}
        answer = await ask(self._endpoint, _encode(body), headers=headers)
        if identity := text_at(data_of(answer), "id"):
            return identity
        raise invalid_answer(self._endpoint, "data.id", "must be the id of the new session")

    async def delete(self, identity: str) -> None:
        """Begins to delete a session that this run has made; waits only where many deletions are still under way."""
        if not identity:
            return
        while len(self._deleting) >= _MOST_DELETING:
            await asyncio.wait(self._deleting, return_when=asyncio.FIRST_COMPLETED)
        task = asyncio.create_task(self._delete(identity))
        self._deleting.add(task)
        task.add_done_callback(self._deleting.discard)

    async def aclose(self) -> None:
        """Waits for the deletions under way, at most 30 s."""
        deleting = set(self._deleting)
        if not deleting:
            return
        try:
            _, late = await asyncio.wait(deleting, timeout=_CLOSE_SECONDS)
            if late:
                _logger.warning("sessions were left behind", extra={"sessions": len(late)})
        finally:
            for task in deleting:
                task.cancel()
            await asyncio.gather(*deleting, return_exceptions=True)

    async def _delete(self, identity: str) -> None:
        """Deletes one session; one that stays behind is worth a warning, not a failed item."""
        try:
            async with asyncio.timeout(_DELETE_SECONDS):
                data_of(await ask(self._endpoint, _encode({"ids": [identity]}), method="DELETE"))
        except (CallFailedError, TaskError, TimeoutError) as error:
            _logger.warning(
                "a session was left behind", extra={"session_id": identity, "cause": str(error)[:500]}
            )
