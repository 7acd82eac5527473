"""How the clients connect: the address, who calls, encryption, retries and keep-alive."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit

import grpc

from evalrpc._errors import LOCAL_HOSTS, Violation, invalid
from evalrpc._version import __version__

DEFAULT_ADDRESS = "localhost:50051"
DEFAULT_TIMEOUT = 30.0
MAX_MESSAGE_BYTES = 4 * 1024 * 1024

Metadata = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """How to encrypt the connection and whom to trust. Each is PEM: the bytes, or the path of a file.

    Attributes:
        root_certificates: of the authorities to trust; those of the system if None.
        client_certificate: the client's own certificate with its chain, where the server asks for one.
        client_key: its private key.
        server_name: the name to expect in the server's certificate, where it is not the address's.
    """

    root_certificates: bytes | str | Path | None = None
    client_certificate: bytes | str | Path | None = None
    client_key: bytes | str | Path | None = None
    server_name: str | None = None

    def credentials(self) -> grpc.ChannelCredentials:
        """Returns the credentials of a channel.

        Raises:
            InvalidRequestError: a certificate comes without its key, or a key without its certificate.
            OSError: a file cannot be read.
        """
        if (self.client_certificate is None) != (self.client_key is None):
            raise invalid([Violation("tls", "must have both a client certificate and its key, or neither")])
        return grpc.ssl_channel_credentials(
            root_certificates=_pem(self.root_certificates),
            private_key=_pem(self.client_key),
            certificate_chain=_pem(self.client_certificate),
        )


@dataclass(frozen=True, slots=True)
class Connection:
    """What both clients need to make a channel and a call.

    Attributes:
        address: `host:port`, or another target that gRPC understands.
        credentials: None for plain text.
        options: of the channel.
        metadata: of every call.
    """

    address: str
    credentials: grpc.ChannelCredentials | None
    options: tuple[tuple[str, int | str], ...]
    metadata: Metadata


def connection(address: str | None, *, token: str | None, tls: Tls | bool) -> Connection:
    """Settles how to connect; EVALRPC_ADDRESS and EVALRPC_TOKEN stand in for what is None.

    Raises:
        InvalidRequestError: the address is a URL with a path, or a certificate comes without its key.
        OSError: a file named by `tls` cannot be read.
    """
    target, encrypted = _target(address or os.environ.get("EVALRPC_ADDRESS") or DEFAULT_ADDRESS)
    settings = tls if isinstance(tls, Tls) else Tls()
    token = token or os.environ.get("EVALRPC_TOKEN")
    metadata = [("evalrpc-client", f"python/{__version__}")]
    if token:
        metadata.append(("authorization", f"Bearer {token}"))
    return Connection(
        address=target,
        credentials=settings.credentials() if encrypted or tls else None,
        options=_options(target, settings),
        metadata=tuple(metadata),
    )


def _target(address: str) -> tuple[str, bool]:
    """Returns gRPC's target, and whether the address asks for encryption as `https://` does."""
    url = urlsplit(address)
    if url.scheme not in {"http", "https"}:
        return address, False
    if url.path.strip("/") or url.query:
        raise invalid([Violation("address", f"must be host:port, not {address!r}")])
    port = url.port or (443 if url.scheme == "https" else 80)
    return f"{url.hostname}:{port}", url.scheme == "https"


def _options(target: str, tls: Tls) -> tuple[tuple[str, int | str], ...]:
    options: list[tuple[str, int | str]] = [
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        # A call is repeated only while its request is in this buffer, whose default is smaller than a large spec.
        ("grpc.per_rpc_retry_buffer_size", 2 * MAX_MESSAGE_BYTES),
        ("grpc.service_config", files("evalrpc").joinpath("service_config.json").read_text("utf-8")),
        # A frozen server is noticed after 15 s; without the ping time-out it takes a minute.
        ("grpc.keepalive_time_ms", 10_000),
        ("grpc.keepalive_timeout_ms", 5_000),
        ("grpc.http2.ping_timeout_ms", 5_000),
        ("grpc.http2.max_pings_without_data", 0),
        # A server that restarts is found again at once.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 2_000),
        ("grpc.primary_user_agent", f"evalrpc-python/{__version__}"),
    ]
    if target.rpartition(":")[0] in LOCAL_HOSTS:
        options.append(("grpc.enable_http_proxy", 0))  # a proxy's localhost is another machine
    if tls.server_name:
        options.append(("grpc.ssl_target_name_override", tls.server_name))
    return tuple(options)


def _pem(source: bytes | str | Path | None) -> bytes | None:
    if source is None or isinstance(source, bytes):
        return source
    return Path(source).read_bytes()
