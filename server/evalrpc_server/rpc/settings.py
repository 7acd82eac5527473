"""How the gRPC server listens, and what it allows."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct


class TlsFiles(Struct, frozen=True, kw_only=True):
    """Where the server's identity is.

    Attributes:
        certificate: PEM, the server's certificate followed by its chain.
        key: PEM, its private key.
        client_authorities: PEM; where given, callers must show a certificate of one of these.
    """

    certificate: Path
    key: Path
    client_authorities: Path | None = None


class RpcSettings(Struct, frozen=True, kw_only=True):
    """The gRPC server's settings.

    Attributes:
        listen: "host:port", port 0 for any free one; or "unix:path".
        tls: identity; without it, connections are not encrypted.
        reflection: whether callers may ask for the contract.
        max_message_bytes: of one message, either way.
        max_open_rpcs: at once, streams included.
        keepalive_time: seconds of silence after which a peer is asked whether it lives.
        keepalive_timeout: seconds in which it has to answer. A frozen peer is noticed after the sum of the two.
        min_ping_interval: seconds; a caller that asks more often than this is taken for hostile and cut off.
    """

    listen: str = "127.0.0.1:50051"
    tls: TlsFiles | None = None
    reflection: bool = True
    max_message_bytes: int = 4 * 1024 * 1024
    max_open_rpcs: int = 2000
    keepalive_time: float = 5.0
    keepalive_timeout: float = 3.0
    min_ping_interval: float = 5.0

    def channel_arguments(self) -> list[tuple[str, int]]:
        """Returns the settings in the terms of gRPC's core, where their defaults would be wrong or might change."""
        return [
            ("grpc.so_reuseport", 0),  # else a second server on the port takes part of the calls
            ("grpc.max_receive_message_length", self.max_message_bytes),
            ("grpc.max_send_message_length", self.max_message_bytes),
            ("grpc.keepalive_time_ms", round(self.keepalive_time * 1000)),
            ("grpc.keepalive_timeout_ms", round(self.keepalive_timeout * 1000)),
            (
                "grpc.http2.ping_timeout_ms",
                round(self.keepalive_timeout * 1000),
            ),  # else a frozen peer stays a minute
            ("grpc.keepalive_permit_without_calls", 1),
            # Calls wait for the event loop to accept them; after 30 s, the default, a burst of watchers loses some.
            ("grpc.server_max_unrequested_time_in_server", 600),
            ("grpc.http2.min_recv_ping_interval_without_data_ms", round(self.min_ping_interval * 1000)),
        ]
