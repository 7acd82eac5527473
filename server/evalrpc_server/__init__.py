"""evalrpc server: runs LLM experiments as a service and records them in Langfuse."""

from __future__ import annotations

__version__ = "0.1.0"
