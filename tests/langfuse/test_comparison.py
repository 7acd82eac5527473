"""evalrpc and Langfuse's SDK 5 write the same for the same experiment, but for the differences that the docs explain."""

from __future__ import annotations

import pytest

from tests.langfuse import comparison, tables
from tests.standins.clients import observe


@pytest.mark.parametrize("source", comparison.SOURCES)
@pytest.mark.parametrize("mode", comparison.MODES)
async def test_evalrpc_writes_what_was_captured(mode, source):
    assert await comparison.observed_now(mode, source) == comparison.observed(mode)[source]


@pytest.mark.parametrize("source", comparison.SOURCES)
def test_evalrpc_writes_what_the_sdk_writes(source):
    ours = comparison.comparable(comparison.observed("events_only")[source])
    theirs = comparison.comparable(observe.observed("python-5.0.4")[source])
    assert ours == comparison.expected_of_evalrpc(theirs, source)


def test_the_tables_of_the_docs_show_what_was_captured():
    assert tables.DOCUMENT.read_text("utf-8") == tables.document()
