"""All builtins by name. A new family of builtins is one more import here."""

from __future__ import annotations

from evalrpc_server.evaluators.builtin import json_documents, measures, numbers, run_level, text
from evalrpc_server.evaluators.builtin.registry import registered

FAMILIES = (text, json_documents, numbers, measures, run_level)
"""The modules whose import registers the builtins."""

BUILTINS = dict(sorted(registered.items()))
"""All builtins by name, in alphabetical order."""
