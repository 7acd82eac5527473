"""The `evalrpc` command."""

from __future__ import annotations

from evalrpc.cli.main import main

__all__ = ["main"]
