"""Dify's service API for tests: five applications, one key each, with the traps of the real one.

In a test::

    async with DifyStandIn() as dify:
        ...  # dify.base_url, dify.keys["chat"], dify.requests, dify.trace_ids

As a process: ``python -m tests.standins.dify --port 0 --prefix /service-api``. A query that begins with ``!`` says what goes
wrong; see `tests.standins.dify.turns`.
"""

from __future__ import annotations

from tests.standins.dify.app import DifyStandIn

__all__ = ["DifyStandIn"]
