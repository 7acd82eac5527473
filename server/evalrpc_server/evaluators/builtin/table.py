"""All builtins by name. A new family of builtins is one more import here."""

from __future__ import annotations

from evalrpc_server.evaluators.builtin import (
    autoevals_scorers,
    composites,
    embeddings,
    json_documents,
    lists,
    measures,
    numbers,
    refusals,
    retrieval,
    run_level,
    similarity,
    spread,
    sql,
    text,
    tool_calls,
    translation,
    xml_documents,
)
from evalrpc_server.evaluators.builtin.registry import registered

FAMILIES = (
    text,
    similarity,
    embeddings,
    translation,
    refusals,
    json_documents,
    numbers,
    lists,
    tool_calls,
    retrieval,
    sql,
    xml_documents,
    measures,
    autoevals_scorers,
    composites,
    run_level,
    spread,
)
"""The modules whose import registers the builtins, in the order of the documentation."""

BUILTINS = dict(sorted(registered.items()))
"""All builtins by name, in alphabetical order."""
