"""A channel, and calls over it with this package's errors."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Self, TypeVar

import grpc

from evalrpc._connection import DEFAULT_TIMEOUT, Tls, connection
from evalrpc._errors import EvalrpcError, error_from_call
from evalrpc._requests import Page, PagedRequest

Q = TypeVar("Q")
A = TypeVar("A")
PagedT = TypeVar("PagedT", bound=PagedRequest)
PageT = TypeVar("PageT", bound=Page)


class ChannelOwner:
    """Opens a channel, and closes it."""

    def __init__(
        self,
        address: str | None = None,
        *,
        token: str | None = None,
        tls: Tls | bool = False,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> None:
        """Settles how to connect.

        Args:
            address: `host:port`, or `https://host:port` for TLS; EVALRPC_ADDRESS or localhost:50051 by default.
            token: a bearer token; EVALRPC_TOKEN by default.
            tls: whether to encrypt, or how.
            timeout: seconds that a call may take, streams of events and uploads apart.

        Raises:
            InvalidRequestError: the address is none, or a certificate comes without its key.
            OSError: a file named by `tls` cannot be read.
        """
        self._connection = connection(address, token=token, tls=tls)
        self._timeout = timeout
        self._closed = False
        where, options = self._connection.address, self._connection.options
        if self._connection.credentials is None:
            self._channel = grpc.insecure_channel(where, options)
        else:
            self._channel = grpc.secure_channel(where, self._connection.credentials, options)

    @property
    def address(self) -> str:
        """Where the server is."""
        return self._connection.address

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    def close(self) -> None:
        """Closes the connection and ends all calls. Experiments run on."""
        self._closed = True
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _check_open(self) -> None:
        """Keeps a stream that broke off as the client was closed from being taken up again."""
        if self._closed:
            raise EvalrpcError("the client is closed")

    def _call(
        self, method: grpc.UnaryUnaryMultiCallable[Q, A], request: Q, seconds: float | None = None
    ) -> A:
        try:
            return method(request, timeout=seconds or self._timeout, metadata=self._connection.metadata)
        except grpc.RpcError as error:
            raise error_from_call(error, self.address) from error

    def _pages(self, method: grpc.UnaryUnaryMultiCallable[PagedT, PageT], request: PagedT) -> Iterator[PageT]:
        """Yields pages until there is none left. Changes the request."""
        while True:
            page = self._call(method, request)
            yield page
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token
