"""A caller that opens a stream, says so, and then only waits: run as a process, so that it can be frozen."""

from __future__ import annotations

import sys
from typing import Any

import grpc


def main(address: str, method: str) -> None:
    """Opens the stream and waits for messages of which the first one is announced."""
    with grpc.insecure_channel(address) as channel:
        stream: Any = channel.unary_stream(method)
        for _ in stream(b""):
            print("streaming", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
