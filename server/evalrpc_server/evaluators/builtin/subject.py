"""What a builtin judges: a case whose documents are parsed once, when they are first asked for."""

from __future__ import annotations

from typing import Final

import msgspec

from evalrpc_server.domain.documents import Document, JsonValue, parse_document
from evalrpc_server.evaluators.builtin.pointers import PointerError, resolve
from evalrpc_server.evaluators.builtin.verdicts import CannotJudge, Unscored, WrongOutput
from evalrpc_server.evaluators.port import Case

_UNREAD: Final = object()

_KINDS = {
    type(None): "null",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "text",
    list: "a list",
}


class Subject:
    """A case with its documents as values. Shared by all builtins of the case; they must not change what they get."""

    __slots__ = ("_expected", "_output", "case")

    def __init__(self, case: Case) -> None:
        self.case = case
        self._output: JsonValue = _UNREAD
        self._expected: JsonValue = _UNREAD

    def output(self, path: str = "") -> JsonValue:
        """Returns the output, or the part of it at a JSON pointer.

        Raises:
            WrongOutput: the output has nothing there.
            CannotJudge: the output cannot be read.
        """
        if self._output is _UNREAD:
            self._output = _read(self.case.output, "output")
        if not path:
            return self._output
        try:
            return _at(self._output, path)
        except PointerError:
            raise WrongOutput(f"the output has no value at {path}") from None

    def expected(self, path: str = "") -> JsonValue:
        """Returns the expected output, or the part of it at a JSON pointer.

        Raises:
            Unscored: the item has no expected output, or nothing there.
            CannotJudge: the expected output cannot be read.
        """
        if self._expected is _UNREAD:
            if self.case.item.expected_output is None:
                raise Unscored("the item has no expected_output")
            self._expected = _read(self.case.item.expected_output, "expected_output")
        if not path:
            return self._expected
        try:
            return _at(self._expected, path)
        except PointerError:
            raise Unscored(f"expected_output has no value at {path}") from None

    def metadata(self, path: str = "") -> JsonValue:
        """Returns the item's metadata, or the part of it at a JSON pointer.

        Raises:
            Unscored: the item has no metadata, or nothing there.
        """
        if self.case.item.metadata is None:
            raise Unscored("the item has no metadata")
        try:
            return resolve(_read(self.case.item.metadata, "metadata"), path)
        except PointerError:
            raise Unscored(f"the item's metadata has no value at {path}") from None


def text_of(value: JsonValue) -> str:
    """Returns a value as text: a string as it is, anything else as compact JSON."""
    return value if type(value) is str else msgspec.json.encode(value).decode()


def kind_of(value: JsonValue) -> str:
    """Names the kind of a value for a message."""
    return _KINDS.get(type(value), "an object")


def read_json(text: str) -> JsonValue:
    """Returns the value of JSON text, which may stand in a Markdown code fence, as language models write it.

    Raises:
        ValueError: it is not JSON.
    """
    try:
        return msgspec.json.decode(unfenced(text))
    except RecursionError:
        raise ValueError("is nested too deep") from None


def parsed(value: JsonValue) -> JsonValue:
    """Returns the JSON that a text holds; any other value, and text that holds none, as it is."""
    if not isinstance(value, str):
        return value
    try:
        return read_json(value)
    except ValueError:
        return value


def unfenced(text: str) -> str:
    """Returns what stands in a Markdown code fence, where the text is one; else the text itself."""
    stripped = text.strip()
    if not stripped.startswith("```") or not stripped.endswith("```"):
        return text
    _, newline, body = stripped[3:-3].partition("\n")
    return body if newline else text


def _read(document: Document, name: str) -> JsonValue:
    try:
        return parse_document(document)
    except RecursionError:
        raise CannotJudge(f"{name} is nested too deep to be read") from None
    except ValueError as error:
        raise CannotJudge(f"{name} cannot be read: {error}") from None


def _at(value: JsonValue, path: str) -> JsonValue:
    return resolve(parsed(value), path)
