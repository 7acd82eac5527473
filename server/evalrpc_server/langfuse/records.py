"""The kinds of outbox records, and what their payloads are."""

from __future__ import annotations

TRACE = "trace"
"""A result's trace: the payload is the sequence of the result's event, in digits."""

LINK = "link"
"""A result's dataset run item, on servers that want one: the payload is `links.Link`."""

SCORE = "score"
"""Scores: the payload is the body of one, or an array of several."""

RUN_SCORE = "run_score"
"""A run's score whose run has no id yet, because the server gives it with the first run item: the body without it."""
