"""gRPC endpoints that callers named: a channel each, opened when it is first used."""

from __future__ import annotations

import asyncio
import binascii
import socket
from base64 import b64decode
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

import grpc
import grpc.aio
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from evalrpc_server.outbound.addresses import AllRefusedError, allowed_addresses
from evalrpc_server.outbound.client import EXCERPT_BYTES
from evalrpc_server.outbound.failures import CallFailedError, Failure
from evalrpc_server.outbound.limiter import EndpointLimiter
from evalrpc_server.outbound.retries import MAX_RETRY_AFTER
from evalrpc_server.outbound.secrets import REFERENCE, SecretError, Secrets
from evalrpc_server.outbound.settings import OutboundSettings

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
"""The largest answer, as gRPC has it by default."""

RETRYABLE_CODES = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.ABORTED}
)
"""Status codes after which the same call may succeed later."""

_OPTIONS: Sequence[tuple[str, int | str]] = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", -1),
    # Ping a silent peer, and only while calls are open: a server may count other pings as abuse.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 0),
    # The pipeline backs off by itself; a channel that waits longer would fail its retries without trying.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.enable_retries", 0),
    ("grpc.primary_user_agent", "evalrpc-server"),
)

_CAUSES = (
    ("connection refused", "connection refused"),
    ("errors resolving", "its host name is unknown"),
    ("dns resolution failed", "its host name is unknown"),
    ("certificate_verify_failed", "its TLS certificate is not trusted"),
    ("handshake failed", "the TLS handshake failed"),
    ("failed parsing http/2", "it does not speak gRPC"),
    ("timed out", "the connection timed out"),
)
_NO_CONNECTION = ("failed to connect to all addresses", "errors resolving", "dns resolution failed")
_CUT = ("socket closed", "connection reset", "broken pipe", "recvmsg:", "goaway", "keepalive watchdog")

Stub = TypeVar("Stub")


class GrpcEndpoint(Generic[Stub]):
    """Calls one service at one address.

    With an address check in the settings, names are resolved here and the channel is bound to the addresses that the check
    let through; it is bound anew when a connection failed and the name means other addresses by then.

    Args:
        make_stub: makes the service's stub on a channel.
        address: `host:port`.
        tls: whether to use TLS; certificates are always verified.
        metadata: of every call; values may hold `${secret:NAME}`.
        limiter: lets calls through.
    """

    def __init__(
        self,
        make_stub: Callable[[grpc.aio.Channel], Stub],
        address: str,
        *,
        tls: bool,
        metadata: Mapping[str, str],
        limiter: EndpointLimiter,
        settings: OutboundSettings,
        secrets: Secrets,
    ) -> None:
        self._make_stub = make_stub
        self.address = address
        self._tls = tls
        self._metadata = {name.lower(): value for name, value in metadata.items()}
        self._holds_secrets = any(REFERENCE.search(value) for value in metadata.values())
        self._limiter = limiter
        self._settings = settings
        self._secrets = secrets
        self._channels: list[grpc.aio.Channel] = []
        self._stub: Stub | None = None
        self._target = ""
        self._suspect = False
        self._opening = asyncio.Lock()

    async def stub(self) -> Stub:
        """Returns the stub to call.

        Raises:
            CallFailedError: the address must not be called, or the channel cannot be made.
        """
        if self._stub is None or self._suspect:
            async with self._opening:
                if self._stub is None or self._suspect:
                    self._stub = await self._bind(self._stub)
        return self._stub

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """Waits until a call may be made, which the block then makes.

        Raises:
            CallFailedError: the call failed.
        """
        admitted = await self._limiter.admit()
        try:
            yield
        except grpc.aio.AioRpcError as error:
            failure = self.failure(error)
            if failure.throttled:
                self._limiter.throttled(admitted, failure.retry_after)
            raise failure from None
        finally:
            self._limiter.leave()

    def metadata(self, own: Mapping[str, str]) -> tuple[tuple[str, str | bytes], ...]:
        """Returns the metadata of one call, secrets resolved.

        Raises:
            CallFailedError: a secret is missing.
        """
        try:
            given = {name: self._secrets.expand(value) for name, value in self._metadata.items()}
        except SecretError as error:
            raise CallFailedError(
                Failure.SECRET, f"was not called. {error}", endpoint=self.address, secret=error.name
            ) from None
        return tuple((name, _wire_value(name, value)) for name, value in {**own, **given}.items())

    def redact_answer(self, answer: Message) -> None:
        """Takes the secrets that calls carry out of an answer, should it echo them."""
        if self._holds_secrets:
            _rewrite(answer, self._secrets.redact_answer)

    def failure(self, error: grpc.aio.AioRpcError) -> CallFailedError:
        """Tells what a failed call means."""
        details = self._secrets.excerpt(
            (error.details() or "").encode("utf-8", "replace"), limit=EXCERPT_BYTES
        )
        said, code = details.lower(), error.code()
        if "message larger than max" in said:
            return self._too_large(details)
        if code is grpc.StatusCode.UNAVAILABLE:
            self._suspect = self._settings.check_address is not None
            if any(sign in said for sign in _NO_CONNECTION):
                cause = next(
                    (cause for sign, cause in _CAUSES if sign in said), "no connection could be made"
                )
                return self._unreachable(cause)
            if any(sign in said for sign in _CUT):
                return CallFailedError(
                    Failure.TRUNCATED,
                    "closed the connection before its answer was complete; see its own log.",
                    endpoint=self.address,
                    retryable=True,
                    received_bytes="0",
                )
        retryable = code in RETRYABLE_CODES
        return CallFailedError(
            Failure.GRPC_STATUS,
            f"answered with gRPC status {code.name}{f': {details}' if details else ''}",
            endpoint=self.address,
            retryable=retryable,
            retry_after=_retry_after(error) if retryable else None,
            throttled=code is grpc.StatusCode.RESOURCE_EXHAUSTED,
            code=code.name,
            details=details,
        )

    async def aclose(self) -> None:
        """Closes the channel; calls in flight are cut off."""
        channels, self._channels = self._channels, []
        self._stub = None
        await asyncio.gather(*(channel.close() for channel in channels))

    async def _bind(self, current: Stub | None) -> Stub:
        target, options = self.address, list(_OPTIONS)
        host = self.address.rpartition(":")[0].strip("[]")
        if self._settings.check_address is not None:
            target = await self._checked_target(host, int(self.address.rpartition(":")[2]))
            options.append(("grpc.default_authority", self.address))
            if self._tls:
                options.append(("grpc.ssl_target_name_override", host))
        self._suspect = False
        if current is not None and target == self._target:
            return current
        self._target = target
        if self._tls:
            channel = grpc.aio.secure_channel(target, self._settings.channel_credentials(), options=options)
        else:
            channel = grpc.aio.insecure_channel(target, options=options)
        self._channels.append(channel)
        return self._make_stub(channel)

    async def _checked_target(self, host: str, port: int) -> str:
        """Resolves the host and returns a target of the allowed addresses only, of one family."""
        check = self._settings.check_address
        assert check is not None
        try:
            addresses = await allowed_addresses(host, port, check)
        except socket.gaierror:
            raise self._unreachable("its host name is unknown") from None
        except AllRefusedError as refusal:
            raise CallFailedError(
                Failure.REFUSED,
                f"must not be called: {refusal}. The server's outbound policy decides this.",
                endpoint=self.address,
                host=host,
                rule=str(refusal),
            ) from None
        if version4 := [ip for ip in addresses if ":" not in ip]:
            return "ipv4:" + ",".join(f"{ip}:{port}" for ip in sorted(version4))
        return "ipv6:" + ",".join(f"[{ip}]:{port}" for ip in sorted(addresses))

    def _unreachable(self, cause: str) -> CallFailedError:
        return CallFailedError(
            Failure.UNREACHABLE,
            f"cannot be reached: {cause}. Check that it runs, and that its address and tls are right.",
            endpoint=self.address,
            retryable=True,
            cause=cause,
        )

    def _too_large(self, details: str) -> CallFailedError:
        if "CLIENT:" in details:
            message = f"answered with more than the {MAX_MESSAGE_BYTES} bytes allowed; send a smaller answer."
        else:
            message = "refuses a request of this size; raise its limit for received messages."
        return CallFailedError(
            Failure.TOO_LARGE,
            message,
            endpoint=self.address,
            limit_bytes=str(MAX_MESSAGE_BYTES),
            details=details,
        )


def _wire_value(name: str, value: str) -> str | bytes:
    """Metadata whose name ends in -bin is binary and given in base64, as grpcurl has it."""
    if not name.endswith("-bin"):
        return value
    try:
        return b64decode(value, validate=True)
    except binascii.Error:
        return value.encode("ascii")


def _rewrite(message: Message, rewrite: Callable[[str], str]) -> None:
    """Replaces every string in a message, but for the keys of maps."""
    for field, value in message.ListFields():
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            for key, entry in value.items():
                if isinstance(entry, Message):
                    _rewrite(entry, rewrite)
                elif isinstance(entry, str):
                    value[key] = rewrite(entry)
        elif isinstance(value, Message):
            _rewrite(value, rewrite)
        elif isinstance(value, str):
            setattr(message, field.name, rewrite(value))
        elif field.message_type is not None:
            for entry in value:
                _rewrite(entry, rewrite)
        elif field.cpp_type == FieldDescriptor.CPPTYPE_STRING and field.type == FieldDescriptor.TYPE_STRING:
            value[:] = [rewrite(entry) for entry in value]


def _retry_after(error: grpc.aio.AioRpcError) -> float | None:
    """Returns the seconds of a `google.rpc.RetryInfo` among an error's details, from 0 to 120."""
    try:
        status = rpc_status.from_call(error)  # type: ignore[arg-type]  # it has the parts of a call that are read
    except ValueError:
        return None
    for detail in status.details if status is not None else ():
        info = error_details_pb2.RetryInfo()
        if detail.Is(info.DESCRIPTOR) and detail.Unpack(info):
            seconds: float = info.retry_delay.seconds + info.retry_delay.nanos / 1e9
            return min(max(seconds, 0.0), MAX_RETRY_AFTER)
    return None
