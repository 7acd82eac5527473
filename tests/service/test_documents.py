"""Any JSON document goes through the service and comes back as it was: to the task, into the store, to the watcher."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import grpc
import pytest
from google.protobuf import json_format, struct_pb2
from hypothesis import example, given
from hypothesis import strategies as st

from evalrpc.v1 import item_pb2, json_pb2
from tests.servers import Server, Stubs
from tests.service.calls import SECONDS, results, run_request, spec
from tests.standins.endpoints import Endpoints, Exchange, Request

CHARACTERS = st.characters(exclude_categories=["Cs"])
NUMBERS = st.from_regex(r"-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,4})?", fullmatch=True)
STRINGS = st.builds(
    lambda text, ensure_ascii: json.dumps(text, ensure_ascii=ensure_ascii),
    st.text(CHARACTERS, max_size=20),
    st.booleans(),
)
SPACE = st.sampled_from(["", "", " ", "\n\t", "\r\n"])


def _joined(opening: str, closing: str, space: str, entries: list[str]) -> str:
    return f"{opening}{space}{f'{space},{space}'.join(entries)}{space}{closing}"


def _containers(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    members = st.dictionaries(st.text(CHARACTERS, max_size=5), inner, max_size=5)
    pairs = members.map(lambda found: [f"{json.dumps(key)}:{value}" for key, value in found.items()])
    lists = st.builds(_joined, st.just("["), st.just("]"), SPACE, st.lists(inner, max_size=5))
    return lists | st.builds(_joined, st.just("{"), st.just("}"), SPACE, pairs)


TEXTS = st.recursive(
    st.sampled_from(["null", "true", "false"]) | NUMBERS | STRINGS, _containers, max_leaves=20
)
"""Documents as text: any number, any spacing, any escape."""

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(CHARACTERS, max_size=20),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text(CHARACTERS, max_size=5), inner, max_size=5)
    ),
    max_leaves=20,
)
"""Documents as values, with numbers that a double holds."""

EXTREMES = [
    "[" * 90 + "]" * 90,
    "9" * 1_000_000,
    "0." + "9" * 1_000_000,
    "[" + ",".join(["1e400"] * 100_000) + "]",
    "1e-999999999999",
    '{"":{"":{"":0}}}',
    '"\\u0000\\ud83d\\ude00"',
]


class Service:
    """A server, and a task that answers with its input, byte for byte."""

    def __init__(self, server: Server) -> None:
        self._runner = asyncio.Runner()
        self._endpoints = Endpoints(routes={"/same": _same})
        self._channel: grpc.aio.Channel | None = None
        self._runner.run(self._open(server))

    async def _open(self, server: Server) -> None:
        await self._endpoints.__aenter__()
        self._channel = grpc.aio.insecure_channel(server.grpc)

    def results(self, documents: list[json_pb2.Json], encoding: str) -> list[Any]:
        """Runs an experiment over documents and returns its results."""
        return self._runner.run(self._results(documents, encoding))

    async def _results(self, documents: list[json_pb2.Json], encoding: str) -> list[Any]:
        assert self._channel is not None
        request = run_request(spec(self._endpoints.url("/same")), json_encoding=f"JSON_ENCODING_{encoding}")
        request.experiment.items.items.extend(
            item_pb2.Item(id=str(number), input=document) for number, document in enumerate(documents)
        )
        call = Stubs(self._channel).experiments.RunExperiment(request, timeout=SECONDS)
        return results([response.event async for response in call])

    async def _close(self) -> None:
        assert self._channel is not None
        await self._channel.close()
        await self._endpoints.__aexit__()

    def close(self) -> None:
        self._runner.run(self._close())
        self._runner.close()


async def _same(request: Request, exchange: Exchange) -> None:
    body = request.body
    document = body[len(b'{"input":') : body.rindex(b',"metadata"')]
    await exchange.answer(b'{"output":' + document + b"}")


@pytest.fixture(scope="module")
def service(server: Server) -> Iterator[Service]:
    made = Service(server)
    yield made
    made.close()


@given(documents=st.lists(TEXTS, min_size=1, max_size=20))
@example(documents=EXTREMES)
def test_text_comes_back_byte_for_byte(service: Service, documents: list[str]) -> None:
    found = service.results([json_pb2.Json(text=text) for text in documents], "TEXT")
    assert [result.item.input.text for result in found] == documents
    assert [result.output.text.strip() for result in found] == [text.strip() for text in documents]


@given(documents=st.lists(TEXTS, min_size=1, max_size=20))
@example(documents=EXTREMES)
def test_text_comes_back_as_a_value_only_where_that_is_exact(service: Service, documents: list[str]) -> None:
    found = service.results([json_pb2.Json(text=text) for text in documents], "VALUE")
    for text, result in zip(documents, found, strict=True):
        for back in (result.item.input, result.output):
            if back.WhichOneof("kind") == "text":
                assert back.text.strip() == text.strip()
            else:
                assert _exact(back.value) == json.loads(text, parse_float=Decimal, parse_int=Decimal)


@given(documents=st.lists(VALUES, min_size=1, max_size=20))
def test_a_value_comes_back_equal_in_either_encoding(service: Service, documents: list[Any]) -> None:
    sent = [json_pb2.Json(value=json_format.ParseDict(value, struct_pb2.Value())) for value in documents]
    for result, value in zip(service.results(sent, "TEXT"), documents, strict=True):
        assert json.loads(result.output.text) == value
        assert not _fractions(value, json.loads(result.output.text))
    for result, value in zip(service.results(sent, "VALUE"), documents, strict=True):
        back = result.output
        is_text = back.WhichOneof("kind") == "text"
        assert (json.loads(back.text) if is_text else json_format.MessageToDict(back.value)) == value


def _exact(value: struct_pb2.Value) -> Any:
    """Returns a value with its numbers as the decimals that their doubles stand for."""
    match value.WhichOneof("kind"):
        case "number_value":
            return Decimal(repr(value.number_value))
        case "struct_value":
            return {key: _exact(entry) for key, entry in value.struct_value.fields.items()}
        case "list_value":
            return [_exact(entry) for entry in value.list_value.values]
        case "null_value":
            return None
        case kind:
            return getattr(value, str(kind))


def _fractions(sent: Any, back: Any) -> bool:
    """Tells whether a whole number came back with a fraction, such as 3.0 for 3."""
    if isinstance(sent, dict):
        return any(_fractions(entry, back[key]) for key, entry in sent.items())
    if isinstance(sent, list):
        return any(_fractions(*pair) for pair in zip(sent, back, strict=True))
    return isinstance(sent, int) and not isinstance(sent, bool) and not isinstance(back, int)
