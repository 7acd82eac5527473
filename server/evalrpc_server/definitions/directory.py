"""The directory of definitions: read at the start, and again whatever has changed in it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from evalrpc_server.definitions.files import FileError, Stamp, read_members, scan
from evalrpc_server.domain.clock import Clock
from evalrpc_server.domain.definitions import Definition
from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.domain.errors import InvalidRequestError, NotFoundError
from evalrpc_server.domain.reasons import Reason

logger = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
"""How often the directory is looked at; besides, it is looked at whenever a definition is asked for."""

Check = Callable[[Mapping[str, JsonValue]], Awaitable[Mapping[str, JsonValue]]]
"""Returns a definition's members in the contract's way of writing; raises InvalidRequestError where something is wrong."""


class DefinitionsError(Exception):
    """The directory cannot be used; the message says why."""


class Definitions:
    """The definitions of a directory, by name. A file that has become unusable leaves its last good version in place.

    Args:
        directory: of YAML files, one for each definition; None for no definitions.
        check: reads the members of a file.
        clock: for waiting.
    """

    def __init__(self, directory: Path | None, check: Check, clock: Clock) -> None:
        self._directory = directory
        self._check = check
        self._clock = clock
        self._stamps: dict[str, Stamp] = {}
        self._definitions: dict[str, Definition] = {}
        self._looking = asyncio.Lock()

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Reads the directory, and keeps looking at it until the context ends.

        Raises:
            DefinitionsError: it is no directory, or cannot be read.
        """
        if self._directory is None:
            yield
            return
        try:
            await self._look()
        except OSError as error:
            raise DefinitionsError(
                f"the definitions in {self._directory} cannot be read: {error.strerror}"
            ) from error
        watching = asyncio.create_task(self._watch(), name="definitions")
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def get(self, name: str) -> Definition:
        """Returns a definition as it is now; one without a good version has no fields.

        Raises:
            NotFoundError: there is none of that name.
        """
        await self.refresh()
        found = self._definitions.get(name)
        if found is None:
            raise NotFoundError(
                Reason.DEFINITION_NOT_FOUND,
                f"the server has no definition named {name[:255]!r}; ListDefinitions lists those that it has",
                definition=name[:255],
            )
        return found

    async def list(self) -> Sequence[Definition]:
        """Returns all definitions, by name."""
        await self.refresh()
        return sorted(self._definitions.values(), key=lambda definition: definition.name)

    async def refresh(self) -> None:
        """Reads what has changed; a directory that cannot be read leaves everything as it was."""
        if self._directory is None:
            return
        try:
            await self._look()
        except OSError as error:
            logger.warning(
                "the definitions stay as they were; their directory cannot be read",
                extra={"directory": str(self._directory), "cause": error.strerror},
            )

    async def _watch(self) -> None:
        while True:
            await self._clock.sleep(LOOK_SECONDS)
            await self.refresh()

    async def _look(self) -> None:
        assert self._directory is not None
        async with self._looking:
            stamps = await asyncio.to_thread(scan, self._directory)
            for name in self._stamps.keys() - stamps.keys():
                del self._definitions[name], self._stamps[name]
                logger.info("a definition is gone", extra={"definition": name})
            for name, stamp in stamps.items():
                if self._stamps.get(name) != stamp:
                    self._definitions[name] = await self._read(name, stamp)
                    self._stamps[name] = stamp  # only now: whoever asked may leave while the file is read

    async def _read(self, name: str, stamp: Stamp) -> Definition:
        last = self._definitions.get(name)
        fields = last.fields if last else None
        problem = ""
        try:
            members = await asyncio.to_thread(read_members, name, stamp)
            fields = await self._check(members)
        except FileError as error:
            problem = str(error)
        except InvalidRequestError as error:
            problem = "; ".join(f"{each.path}: {each.description}" for each in error.violations)
        if problem:
            logger.error(
                "a definition cannot be used; its last good version stays"
                if last and last.fields
                else "a definition cannot be used",
                extra={"definition": name, "path": str(stamp.path), "problem": problem},
            )
        elif last:
            logger.info("read a definition again", extra={"definition": name})
        return Definition(
            name=name,
            fields=fields,
            problem=problem,
            update_time=datetime.fromtimestamp(stamp.modified / 1e9, UTC),
        )
