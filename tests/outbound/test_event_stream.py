from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalrpc_server.outbound.event_stream import EventStreamParser, EventTooLargeError, ServerSentEvent


def parse(content: bytes, *cuts: int) -> list[ServerSentEvent]:
    parser = EventStreamParser(max_event_bytes=10_000)
    edges = [0, *sorted(cuts), len(content)]
    return [event for begin, end in pairwise(edges) for event in parser.feed(content[begin:end])]


def datas(content: bytes) -> list[str]:
    return [event.data for event in parse(content)]


def test_an_event_ends_with_an_empty_line():
    assert parse(b"data: a\n\ndata: b\n\ndata: c\n") == [ServerSentEvent("a"), ServerSentEvent("b")]


def test_several_data_lines_are_joined_by_line_feeds():
    # The samples of the HTML standard.
    assert datas(b"data: YHOO\ndata: +2\ndata: 10\n\n") == ["YHOO\n+2\n10"]
    assert datas(b"data\n\ndata\ndata\n\ndata:") == ["", "\n"]
    assert datas(b"data:test\n\ndata: test\n\ndata:  test\n\n") == ["test", "test", " test"]


def test_comments_and_unknown_fields_are_skipped():
    assert datas(b": ping\n\ndata: a\n: between\nfoo: bar\ndatax: no\ndata: b\n\n") == ["a\nb"]


def test_type_id_and_retry_are_read():
    events = parse(
        b"event: add\nid: 7\nretry: 250\ndata: a\n\ndata: b\nid\n\nid: x\x00y\nretry: soon\ndata: c\n\n"
    )
    assert events == [
        ServerSentEvent("a", "add", "7", 250),
        ServerSentEvent("b", "message", ""),
        ServerSentEvent("c", "message", ""),
    ]


def test_a_type_without_data_is_forgotten():
    assert parse(b"event: add\n\ndata: a\n\n") == [ServerSentEvent("a")]


def test_other_line_separators_are_content():
    assert datas("data: a\u2028b\u0085c\x0bd\n\n".encode()) == ["a\u2028b\u0085c\x0bd"]


def test_a_byte_order_mark_at_the_beginning_only_is_skipped():
    assert datas(b"\xef\xbb\xbfdata: a\n\n\xef\xbb\xbfdata: b\n\n") == ["a"]


def test_bytes_that_are_no_utf8_are_replaced():
    assert datas(b"data: a\xffb\n\n") == ["a\ufffdb"]


def test_what_is_cut_off_at_the_end_is_told_apart():
    parser = EventStreamParser(max_event_bytes=100)
    assert [*parser.feed(b"data: a\n\ndata: b")] == [ServerSentEvent("a")]
    assert parser.unfinished() == ServerSentEvent("b")
    parser = EventStreamParser(max_event_bytes=100)
    assert [*parser.feed(b"data: a\n\n: bye")] == [ServerSentEvent("a")]
    assert parser.unfinished() is None


@pytest.mark.parametrize("content", [b"data: " + b"x" * 200, b"data: xxxxxxxxxxxxxx\n" * 10])
def test_an_event_is_bounded(content):
    parser = EventStreamParser(max_event_bytes=100)
    with pytest.raises(EventTooLargeError):
        [*parser.feed(content)]


CONTENT = "\ufeffevent: é\r\ndata: 日本\rdata: \U0001f600\n\n: c\r\n\r\ndata: x\r\rid: 5\r\ndata: y\r\n\r\n".encode()


@given(st.lists(st.integers(0, len(CONTENT)), max_size=12))
def test_where_the_bytes_are_cut_makes_no_difference(cuts):
    assert parse(CONTENT, *cuts) == [
        ServerSentEvent("日本\n\U0001f600", "é"),
        ServerSentEvent("x"),
        ServerSentEvent("y", id="5"),
    ]
