"""An OpenAI API for tests: chat completions and Responses, strict about requests, with faults by prompt.

In a test::

    async with OpenAiStandIn() as openai:
        ...  # openai.base_url, openai.key, openai.requests

As a process: ``python -m tests.standins.openai --port 0``. A prompt that begins with ``!`` says what goes wrong; see
`tests.standins.openai.faults`.
"""

from __future__ import annotations

from tests.standins.openai.app import OpenAiStandIn

__all__ = ["OpenAiStandIn"]
