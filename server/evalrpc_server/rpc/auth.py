"""Stage: who calls. By bearer token, by client certificate, or, where neither is asked for, nobody in particular."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from evalrpc_server.addresses import ListenError, is_local
from evalrpc_server.domain.errors import ExhaustedError, RequestError
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.rpc.interceptors.call import Call
from evalrpc_server.rpc.settings import RpcSettings
from evalrpc_server.tokens import Token, TokenRates, Tokens

_HEALTH = "grpc.health.v1.Health/"
_RETRY_SECONDS = 1.0
_HINT = "send the metadata `authorization: Bearer <token>`"


class TokenAuthentication:
    """Lets in who presents a token of the file, within the token's limits. Health checks need none."""

    def __init__(self, tokens: Tokens, rates: TokenRates | None = None) -> None:
        self._tokens = tokens
        self._open: Counter[str] = Counter()
        self._rates = rates or TokenRates()

    @asynccontextmanager
    async def __call__(self, call: Call) -> AsyncIterator[None]:
        """Lets a call in, or refuses it with UNAUTHENTICATED, RATE_LIMITED or TOO_MANY_RPCS."""
        if call.method.startswith(_HEALTH):
            yield
            return
        token = self._authenticated(call)
        call.user = token.name
        self._check_rate(token)
        if token.max_open_rpcs is not None and self._open[token.name] >= token.max_open_rpcs:
            raise ExhaustedError(
                Reason.TOO_MANY_RPCS,
                f"this token has {token.max_open_rpcs} RPCs open, as many as it may; try again later",
                retry_after=_RETRY_SECONDS,
                limit=str(token.max_open_rpcs),
            )
        self._open[token.name] += 1
        try:
            yield
        finally:
            self._open[token.name] -= 1

    def _authenticated(self, call: Call) -> Token:
        scheme, _, presented = call.header("authorization").partition(" ")
        if scheme.lower() != "bearer" or not presented.strip():
            raise RequestError(
                Reason.UNAUTHENTICATED, f"the call carries no bearer token; {_HINT}", hint=_HINT
            )
        token = self._tokens.find(presented.strip())
        if token is None:
            raise RequestError(
                Reason.UNAUTHENTICATED, "the bearer token is not one of this server's", hint=_HINT
            )
        return token

    def _check_rate(self, token: Token) -> None:
        if (wait := self._rates.take(token)) > 0:
            raise ExhaustedError(
                Reason.RATE_LIMITED,
                f"this token starts more than {token.rpcs_per_second:g} RPCs per second; try again later",
                retry_after=wait,
                limit_per_second=f"{token.rpcs_per_second:g}",
            )


@asynccontextmanager
async def certificate_name(call: Call) -> AsyncIterator[None]:
    """Notes the name in the caller's certificate, which TLS has verified, where no token has named the caller."""
    if not call.user:
        names = call.context.auth_context().get("x509_common_name") or ()
        call.user = next((name.decode("utf-8", "replace")[:64] for name in names), "")
    yield


def check_exposure(settings: RpcSettings, *, tokens: bool, insecure: bool) -> None:
    """Refuses to serve callers from elsewhere without knowing who they are.

    Args:
        settings: where the server is to listen.
        tokens: whether callers must present one.
        insecure: the operator knows, and wants it all the same.

    Raises:
        ListenError: the address is reachable from other machines and neither tokens nor client certificates are asked for.
    """
    certificates = settings.tls is not None and settings.tls.client_authorities is not None
    if not (is_local(settings.listen) or tokens or certificates or insecure):
        raise ListenError(
            f"{settings.listen} is reachable from other machines, and anybody could start experiments there: "
            "ask for bearer tokens (--tokens) or client certificates (--tls-client-authorities), listen on 127.0.0.1, "
            "or allow it with --insecure"
        )
