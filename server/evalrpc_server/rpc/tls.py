"""The server's TLS identity, read again when its files change, so that certificates can be renewed without a restart."""

from __future__ import annotations

import logging

import grpc

from evalrpc_server.rpc.settings import TlsFiles

logger = logging.getLogger(__name__)


def server_credentials(tls: TlsFiles) -> grpc.ServerCredentials:
    """Returns credentials that follow the files.

    Raises:
        OSError: a file cannot be read.
    """
    contents = _read(tls)

    def renewed() -> grpc.ServerCertificateConfiguration | None:
        """Is asked by every handshake."""
        nonlocal contents
        try:
            current = _read(tls)
        except OSError as error:
            logger.error("the certificate stays as it was: %s", error)  # noqa: TRY400  the sentence says it all
            return None
        if current == contents:
            return None
        contents = current
        logger.info("read the certificate again", extra={"certificate": str(tls.certificate)})
        return _configuration(current)

    return grpc.dynamic_ssl_server_credentials(
        _configuration(contents),
        renewed,  # type: ignore[arg-type]  # None is allowed, and means that nothing has changed
        require_client_authentication=tls.client_authorities is not None,
    )


def _read(tls: TlsFiles) -> tuple[bytes, bytes, bytes | None]:
    authorities = tls.client_authorities.read_bytes() if tls.client_authorities else None
    return tls.key.read_bytes(), tls.certificate.read_bytes(), authorities


def _configuration(contents: tuple[bytes, bytes, bytes | None]) -> grpc.ServerCertificateConfiguration:
    key, certificate, authorities = contents
    return grpc.ssl_server_certificate_configuration([(key, certificate)], root_certificates=authorities)
