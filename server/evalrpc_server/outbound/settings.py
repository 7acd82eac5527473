"""How calls leave the server: trust, identity and limits, from the server's configuration."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

import grpc
import httpx
from msgspec import Struct

AddressCheck = Callable[[str, str, int], str | None]
"""Takes the host, address and port of a connection to be made; returns why it must not be, or None when it may."""


class OutboundSettings(Struct, frozen=True, kw_only=True):
    """What all calls have in common.

    Attributes:
        ca_file: authorities to trust, PEM; by default those that httpx trusts.
        client_certificate: shown to endpoints that ask for one, PEM; with `client_key`, unless that is in the same file.
        client_key: its key, PEM.
        connect_timeout: seconds in which a connection must stand, name resolution and TLS included.
        check_address: asked before each connection.
    """

    ca_file: Path | None = None
    client_certificate: Path | None = None
    client_key: Path | None = None
    connect_timeout: float = 10.0
    check_address: AddressCheck | None = None

    def ssl_context(self) -> ssl.SSLContext:
        """Makes the TLS context of HTTP calls; certificates are always verified.

        Raises:
            OSError: a file cannot be read or is no PEM file of the kind expected (`ssl.SSLError`).
        """
        context = (
            ssl.create_default_context(cafile=self.ca_file) if self.ca_file else httpx.create_ssl_context()
        )
        if self.client_certificate is not None:
            context.load_cert_chain(self.client_certificate, self.client_key)
        return context

    def channel_credentials(self) -> grpc.ChannelCredentials:
        """Makes the TLS credentials of gRPC channels; certificates are always verified.

        Raises:
            OSError: a file cannot be read.
        """
        key_file = self.client_key or self.client_certificate
        return grpc.ssl_channel_credentials(
            root_certificates=self.ca_file.read_bytes() if self.ca_file else None,
            private_key=key_file.read_bytes() if key_file else None,
            certificate_chain=self.client_certificate.read_bytes() if self.client_certificate else None,
        )
