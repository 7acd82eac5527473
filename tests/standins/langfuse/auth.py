"""Who calls: Basic authentication with a project's keys, and what everybody else is told."""

from __future__ import annotations

import base64
import binascii

from tests.standins.langfuse.answers import Refused
from tests.standins.langfuse.settings import ProjectKeys, Settings

WRONG_KEYS = "Invalid credentials. Confirm that you've configured the correct host."


class Authenticator:
    """Finds the project that an ``Authorization`` header opens."""

    def __init__(self, settings: Settings) -> None:
        self._pairs = {(keys.public_key, keys.secret_key): keys for keys in settings.projects}
        self._public = {keys.public_key: keys for keys in settings.projects}
        self._organization = settings.organization_keys
        self._known: dict[str, ProjectKeys] = {}

    def project(self, header: str | None, *, scores_only: bool) -> ProjectKeys:
        """The caller's project.

        Args:
            header: The ``Authorization`` header.
            scores_only: Whether the route may be called with the public key alone, as a Bearer token.

        Raises:
            Refused: 401 without valid keys, 403 for keys that may not call this route.
        """
        if header is None:
            raise Refused(401, {"message": "No authorization header"})
        if (keys := self._known.get(header)) is not None:
            return keys
        scheme, _, credentials = header.partition(" ")
        if scheme == "Bearer":
            return self._by_public_key(credentials, scores_only)
        if scheme != "Basic":
            raise Refused(401, {"message": "Invalid authorization header"})
        try:
            public, _, secret = base64.b64decode(credentials, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise Refused(401, {"message": "Invalid authorization header"}) from None
        if (public, secret) == self._organization:
            raise Refused(403, {"message": "Access denied: organization keys cannot call project endpoints"})
        found = self._pairs.get((public, secret))
        if found is None:
            raise Refused(401, {"message": WRONG_KEYS})
        self._known[header] = found
        return found

    def _by_public_key(self, public: str, scores_only: bool) -> ProjectKeys:
        keys = self._public.get(public)
        if keys is None:
            raise Refused(401, {"message": WRONG_KEYS})
        if not scores_only:
            raise Refused(403, {"message": "Access denied - need to use basic auth with secret key"})
        return keys
