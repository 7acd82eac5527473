"""Templates: JSON values and texts with `{{path}}` where a value of the call goes.

Values are inserted into the structure of a JSON template, never into its text, as the JSON text that their author sent:
a string that is nothing but one placeholder becomes the value with its own type, exact to the last digit. Within a longer
string a value stands as text: a string as it is, everything else as JSON.

    {"question": "{{input.question}}", "k": "{{metadata.top_k}}", "user": "run {{experiment.id}}"}

A path is names joined by dots, with `[0]` for elements of lists and `["a b"]` for names of other characters. A path that
ends in `?` may lead nowhere: it then stands for null, and for nothing within a text. `{{"..."}}` stands for the text in
quotes, such as `{{"{{"}}`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

import msgspec
from msgspec import Struct

from evalrpc_server.domain.documents import Document, JsonValue

MAX_TEMPLATE_DEPTH = 64
"""How deep a JSON template may be nested."""

_encode = msgspec.json.Encoder().encode
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode
_string = msgspec.json.Decoder(str).decode

_LITERAL = re.compile(r'\{\{\s*("(?:[^"\\]|\\.)*")\s*\}\}')
_PLACEHOLDER = re.compile(r"\{\{((?:[^{}\"]|\"(?:[^\"\\]|\\.)*\")*)\}\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_STEP = re.compile(r'\.([A-Za-z_][A-Za-z0-9_-]*)|\[(-?\d{1,9})\]|\[("(?:[^"\\]|\\.)*")\]')
_SAFE_INTEGER = 2**53


class TemplateSyntaxError(ValueError):
    """A template is wrong, whatever the values.

    Attributes:
        path: the place within the template, such as `.messages[0].content`; empty for all of it.
        problem: what is wrong, to follow the place in a sentence.
    """

    def __init__(self, problem: str, path: str = "") -> None:
        super().__init__(f"{path} {problem}".lstrip())
        self.path = path
        self.problem = problem


class TemplateError(Exception):
    """A template cannot be filled in with the values of this call. The message holds no value.

    Attributes:
        placeholder: the one to blame, as it is written.
        problem: what is wrong, to follow the placeholder in a sentence.
    """

    def __init__(self, placeholder: str, problem: str) -> None:
        super().__init__(f"{placeholder} {problem}")
        self.placeholder = placeholder
        self.problem = problem


class UnfitValueError(ValueError):
    """A value cannot stand where its placeholder is; the message follows the placeholder in a sentence."""


class Placeholder(Struct, frozen=True):
    """A reference to a value.

    Attributes:
        root: the name that the path begins with.
        steps: the members and elements that lead on from there.
        optional: whether it may lead nowhere.
        source: as it is written, with its braces.
    """

    root: str
    steps: tuple[str | int, ...]
    optional: bool
    source: str

    def resolve(self, scope: Mapping[str, Document]) -> Document | None:
        """Returns the value as JSON text; None where an optional path leads nowhere or to null.

        Raises:
            TemplateError: the path leads nowhere.
        """
        value = scope.get(self.root)
        for step in self.steps:
            if value is None:
                break
            value = _step(value, step)
        if value is None and not self.optional:
            raise TemplateError(self.source, "leads to no value of this item")
        return None if self.optional and value == "null" else value

    def text(self, scope: Mapping[str, Document]) -> str:
        """Returns the value as text.

        Raises:
            TemplateError: the path leads nowhere, or to null.
        """
        value = self.resolve(scope)
        if value is None:
            return ""
        if value == "null":
            raise TemplateError(self.source, "is null, which is no text; end the path in ? for an empty text")
        return document_text(value)


def document_text(document: Document) -> str:
    """Returns a value as text: a string as it is, everything else as its JSON."""
    return _string(document) if document.startswith('"') else document


class TextTemplate:
    """A text with placeholders.

    Raises:
        TemplateSyntaxError: a placeholder is malformed.
    """

    def __init__(self, source: str) -> None:
        self.parts = tuple(_parse(source))

    @property
    def placeholders(self) -> Iterator[Placeholder]:
        """The placeholders, in order."""
        return (part for part in self.parts if isinstance(part, Placeholder))

    @property
    def constant(self) -> bool:
        """Whether there are no placeholders."""
        return not any(self.placeholders)

    def render(
        self,
        scope: Mapping[str, Document],
        *,
        escape: Callable[[str], str] = str,
        literal: Callable[[str], str] = str,
    ) -> str:
        """Fills the template in.

        Args:
            scope: the values by the names that paths begin with.
            escape: what is done to each value's text.
            literal: what is done to each stretch of the template's own text.

        Raises:
            TemplateError: a path leads nowhere, or to null, or `escape` raised `UnfitValueError`.
        """
        return "".join(
            literal(part) if isinstance(part, str) else _escaped(part, scope, escape) for part in self.parts
        )


def _escaped(placeholder: Placeholder, scope: Mapping[str, Document], escape: Callable[[str], str]) -> str:
    try:
        return escape(placeholder.text(scope))
    except UnfitValueError as error:
        raise TemplateError(placeholder.source, str(error)) from None


class JsonTemplate:
    """A JSON value with placeholders in its strings.

    Args:
        value: the parsed template.

    Raises:
        TemplateSyntaxError: a placeholder is malformed, or stands in a name; a number was rounded on its way; the value is
            nested too deep.
    """

    def __init__(self, value: JsonValue) -> None:
        parts: list[str | Placeholder | TextTemplate] = []
        for part in _compile(value, "", 0):
            if isinstance(part, str) and parts and isinstance(last := parts[-1], str):
                parts[-1] = last + part
            else:
                parts.append(part)
        self._parts = tuple(parts)

    @property
    def placeholders(self) -> Iterator[Placeholder]:
        """The placeholders, in order."""
        for part in self._parts:
            if isinstance(part, Placeholder):
                yield part
            elif isinstance(part, TextTemplate):
                yield from part.placeholders

    def render(self, scope: Mapping[str, Document]) -> Document:
        """Fills the template in, as compact JSON.

        Args:
            scope: the values by the names that paths begin with.

        Raises:
            TemplateError: a path leads nowhere, or to null within a text.
        """
        rendered: list[str] = []
        for part in self._parts:
            if isinstance(part, str):
                rendered.append(part)
            elif isinstance(part, Placeholder):
                rendered.append(part.resolve(scope) or "null")
            else:
                rendered.append(_encode(part.render(scope)).decode())
        return Document("".join(rendered))


def template_strings(value: JsonValue, path: str = "") -> Iterator[tuple[str, str]]:
    """Yields the strings within a JSON template that hold placeholders, with their places."""
    if isinstance(value, str):
        if "{{" in value:
            yield path, value
    elif isinstance(value, dict):
        for name, entry in value.items():
            yield from template_strings(entry, f"{path}.{name}")
    elif isinstance(value, list):
        for number, entry in enumerate(value):
            yield from template_strings(entry, f"{path}[{number}]")


def _compile(value: JsonValue, path: str, depth: int) -> Iterator[str | Placeholder | TextTemplate]:
    if depth > MAX_TEMPLATE_DEPTH:
        raise TemplateSyntaxError(f"is nested deeper than {MAX_TEMPLATE_DEPTH} levels", path)
    if isinstance(value, str):
        yield _compile_string(value, path)
    elif isinstance(value, dict):
        yield "{"
        for number, (name, entry) in enumerate(value.items()):
            if "{{" in name:
                raise TemplateSyntaxError(
                    "has a placeholder in a member's name; they stand in values only", path
                )
            yield f"{',' if number else ''}{_encode(name).decode()}:"
            yield from _compile(entry, f"{path}.{name}", depth + 1)
        yield "}"
    elif isinstance(value, list | tuple):
        yield "["
        for number, entry in enumerate(value):
            if number:
                yield ","
            yield from _compile(entry, f"{path}[{number}]", depth + 1)
        yield "]"
    else:
        if isinstance(value, float) and value.is_integer() and abs(value) > _SAFE_INTEGER:
            raise TemplateSyntaxError(
                "is an integer beyond 2^53, which a protobuf Value rounds; take it from the item with a placeholder",
                path,
            )
        yield _encode(value).decode()


def _compile_string(value: str, path: str) -> str | Placeholder | TextTemplate:
    if "{{" not in value:
        return _encode(value).decode()
    try:
        template = TextTemplate(value)
    except TemplateSyntaxError as error:
        raise TemplateSyntaxError(error.problem, path) from None
    match template.parts:
        case (Placeholder() as whole,):
            return whole
        case parts if template.constant:
            return _encode("".join(str(part) for part in parts)).decode()
    return template


def _parse(source: str) -> Iterator[str | Placeholder]:
    text, position = "", 0
    while (begin := source.find("{{", position)) >= 0:
        text += source[position:begin]
        if literal := _LITERAL.match(source, begin):
            text += _quoted(literal[1], literal[0])
            position = literal.end()
            continue
        found = _PLACEHOLDER.match(source, begin)
        if found is None:
            raise TemplateSyntaxError(
                'holds a {{ without its }}; write {{path}}, or {{"{{"}} for the braces themselves'
            )
        if text:
            yield text
        text, position = "", found.end()
        yield _placeholder(found[1].strip(), found[0])
    text += source[position:]
    if text:
        yield text


def _placeholder(path: str, source: str) -> Placeholder:
    optional = path.endswith("?")
    path = path.removesuffix("?").rstrip()
    root = _NAME.match(path)
    if root is None:
        raise _malformed(source)
    steps: list[str | int] = []
    position = root.end()
    while position < len(path):
        step = _STEP.match(path, position)
        if step is None:
            raise _malformed(source)
        name, number, quoted = step.groups()
        if number is not None:
            steps.append(int(number))
        else:
            steps.append(_quoted(quoted, source) if quoted else name)
        position = step.end()
    return Placeholder(root[0], tuple(steps), optional, source)


def _malformed(source: str) -> TemplateSyntaxError:
    return TemplateSyntaxError(
        f"holds {source[:100]}, which is no path; write it like {{{{input.question}}}} or {{{{metadata.tags[0]}}}}"
    )


def _quoted(text: str, source: str) -> str:
    try:
        return _string(text)
    except msgspec.DecodeError:
        raise _malformed(source) from None


def _step(value: Document, step: str | int) -> Document | None:
    if isinstance(step, str):
        if not value.startswith("{"):
            return None
        member = _members(value).get(step)
        return None if member is None else _document(member)
    if not value.startswith("["):
        return None
    elements = _elements(value)
    return _document(elements[step]) if -len(elements) <= step < len(elements) else None


def _document(raw: msgspec.Raw) -> Document:
    return Document(bytes(raw).decode("utf-8").strip())
