"""RAGFlow's API for tests, as of 0.21 (which PowerRAG has), 0.24 or 0.26, with the traps of each.

In a test::

    async with RagflowStandIn(generation="0.21") as ragflow:
        ...  # ragflow.url, ragflow.key, ragflow.chat_id, ragflow.agent_id, ragflow.sessions

As a process: ``python -m tests.standins.ragflow --port 0 --generation 0.24``. A question that begins with ``!`` says what
goes wrong; see `tests.standins.ragflow.turns`.
"""

from __future__ import annotations

from tests.standins.ragflow.app import RagflowStandIn

__all__ = ["RagflowStandIn"]
