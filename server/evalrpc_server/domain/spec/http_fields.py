"""Field types of tasks behind HTTP endpoints."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any

import re2
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from evalrpc_server.domain import selectors
from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.domain.patterns import compile_pattern
from evalrpc_server.domain.spec.fields import Headers, http_url
from evalrpc_server.domain.spec.templates import check_syntax, fault

_METHOD = re.compile(r"[A-Z][A-Z0-9_-]{0,31}")
_CAPTURE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,99}")
_PLACEHOLDER = re.compile(r"\{\{.*?\}\}")
_SECRET = "${secret:"  # noqa: S105 - the mark of a reference


def _method(value: str) -> str:
    if not _METHOD.fullmatch(value) or value == "CONNECT":
        raise PydanticCustomError("method", "must be an HTTP method in capital letters, such as POST")
    return value


Method = Annotated[str, AfterValidator(_method)]
"""An HTTP method."""


def _url_template(value: str) -> str:
    check_syntax(value)
    if _SECRET in value:
        raise fault("must not hold secrets; send them in headers")
    head, found, rest = value.partition("://")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0] if found else ""
    if "{{" in head or "{{" in authority:
        raise fault(
            "must have the same scheme, host and port for every item; use placeholders in its path or query"
        )
    http_url(_PLACEHOLDER.sub("x", value))
    return value


UrlTemplate = Annotated[str, AfterValidator(_url_template)]
"""An absolute http or https URL, with placeholders in its path and query."""


def _header_templates(value: dict[str, str]) -> dict[str, str]:
    for name, text in value.items():
        check_syntax(text, f".{name}")
    return value


HeaderTemplates = Annotated[Headers, AfterValidator(_header_templates)]
"""HTTP headers with placeholders in their values, which may hold `${secret:NAME}`."""


def _body(value: JsonValue) -> JsonValue:
    check_syntax(value)
    for path, text in _strings(value, ""):
        if _SECRET in text:
            raise fault("must not hold secrets; send them in headers", path)
    return value


def _strings(value: JsonValue, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for name, entry in value.items():
            yield from _strings(entry, f"{path}.{name}")
    elif isinstance(value, list):
        for number, entry in enumerate(value):
            yield from _strings(entry, f"{path}[{number}]")


Body = Annotated[Any, AfterValidator(_body)]
"""A JSON value with placeholders in its strings; None for no body."""


def _selector(value: str) -> str:
    try:
        selectors.Selector(value)
    except selectors.SelectorSyntaxError as error:
        raise fault(str(error)) from None
    return value


RequiredSelector = Annotated[str, AfterValidator(_selector)]
"""A JMESPath expression."""

Selector = Annotated[str, AfterValidator(lambda value: _selector(value) if value else value)]
"""A JMESPath expression; empty for none."""


def _captures(value: dict[str, str]) -> dict[str, str]:
    for name, selector in value.items():
        if not _CAPTURE_NAME.fullmatch(name):
            raise fault(f"holds the name {name[:100]!r}; letters, digits, _ and - make names")
        try:
            selectors.Selector(selector)
        except selectors.SelectorSyntaxError as error:
            raise fault(str(error), f".{name}") from None
    return value


Captures = Annotated[dict[str, str], AfterValidator(_captures), Field(default_factory=dict, max_length=100)]
"""Selectors, by the names under which templates read what they find."""


def _pattern(value: str) -> str:
    try:
        compile_pattern(value)
    except re2.error:
        raise PydanticCustomError("pattern", "must be a regular expression in RE2 syntax") from None
    return value


StripPattern = Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_pattern)]
"""A regular expression in RE2 syntax, which takes time linear in the text."""
