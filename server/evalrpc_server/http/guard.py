"""Who may call over HTTP: by bearer token, or by the signature of a webhook."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence

from aiohttp import web

from evalrpc_server.domain.clock import Clock
from evalrpc_server.http.listener import json_error
from evalrpc_server.tokens import TokenRates, Tokens
from evalrpc_server.triggers.signature import HEADER, SignatureError, verify_signature

logger = logging.getLogger(__name__)


class RefusedError(Exception):
    """The caller is not let in.

    Attributes:
        response: what it is told.
    """

    def __init__(self, response: web.Response, problem: str) -> None:
        super().__init__(problem)
        self.response = response


class TokenGuard:
    """Lets in who presents a bearer token of the file, within the token's rate.

    Args:
        tokens: of the file; None where none are asked for.
        rates: shared with the RPCs.
    """

    def __init__(self, tokens: Tokens | None, rates: TokenRates) -> None:
        self._tokens = tokens
        self._rates = rates

    @property
    def asks(self) -> bool:
        """Whether tokens are asked for at all."""
        return self._tokens is not None

    def check(self, request: web.Request) -> None:
        """Does nothing for a caller that may call.

        Raises:
            RefusedError: a token is asked for, and this caller has none or too little of it left.
        """
        if self._tokens is None:
            return
        scheme, _, presented = request.headers.get("authorization", "").partition(" ")
        token = self._tokens.find(presented.strip()) if scheme.lower() == "bearer" else None
        if token is None:
            raise _unauthorized(
                "send the header `Authorization: Bearer <token>` with a token of this server's"
            )
        if (wait := self._rates.take(token)) > 0:
            problem = f"this token starts more than {token.rpcs_per_second:g} calls per second"
            response = json_error(429, problem)
            response.headers["Retry-After"] = str(math.ceil(wait))
            raise RefusedError(response, problem)


class WebhookGuard:
    """Lets in webhooks that are signed, or whose sender has a token; others only where that is configured.

    Args:
        secrets: returns the signing secrets, of which any one is good.
        unsigned: whether webhooks without a signature and without a token are taken.
        tokens: the tokens of callers.
        clock: tells the time.
    """

    def __init__(
        self, *, secrets: Callable[[], Sequence[str]], unsigned: bool, tokens: TokenGuard, clock: Clock
    ) -> None:
        self._secrets = secrets
        self._unsigned = unsigned
        self._tokens = tokens
        self._clock = clock

    def check(self, request: web.Request, body: bytes) -> str:
        """Returns the verified signature of a webhook; empty for one that may come without.

        Raises:
            RefusedError: the signature is wrong, or there is none and one is needed.
        """
        secrets = self._secrets()
        header = request.headers.get(HEADER, "")
        if header and secrets:
            try:
                return verify_signature(header, body, secrets, now=self._clock.now().timestamp())
            except SignatureError as error:
                raise _unauthorized(str(error)) from None
        if self._tokens.asks and "authorization" in request.headers:
            self._tokens.check(request)
            return ""
        if not self._unsigned:
            raise _unauthorized(
                f"the webhook carries no {HEADER}; enable signing in Langfuse and name the secret with --webhook-secrets, "
                "or take unsigned ones with --webhook-unsigned"
                if secrets or not header
                else "the webhook is signed, and this server knows no secret; name it with --webhook-secrets"
            )
        return ""


def _unauthorized(problem: str) -> RefusedError:
    return RefusedError(json_error(401, problem), problem)
