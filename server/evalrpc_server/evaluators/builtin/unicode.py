"""Making texts comparable, in bounded time whatever the text."""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Any, Literal

import re2

from evalrpc_server.domain.documents import MAX_DOCUMENT_BYTES
from evalrpc_server.evaluators.builtin.params import TextOptions
from evalrpc_server.evaluators.builtin.verdicts import CannotJudge

MAX_MARKS = 128
"""The most combining marks in a row that are normalised.

Sorting them takes time quadratic in their number; real text has no more than 30 (UAX #15, Stream-Safe Text Format).
"""

MAX_LENGTH = 2 * MAX_DOCUMENT_BYTES
"""The longest text after normalisation, in characters: some characters become eighteen in NFKC."""


def prepare(text: str, options: TextOptions) -> str:
    """Returns a text in the form in which it is compared.

    Raises:
        CannotJudge: the text holds more than `MAX_MARKS` combining marks in a row.
    """
    if options.normalize != "none" and not text.isascii():
        text = normalize(options.normalize, text)
    if options.ignore_case:
        text = text.casefold()
        if options.normalize != "none" and not text.isascii():
            text = normalize(options.normalize, text)
    return text.strip() if options.strip else text


def normalize(form: Literal["NFC", "NFKC"], text: str) -> str:
    """Returns a text in a Unicode normalisation form, in time linear in its length.

    Raises:
        CannotJudge: the text holds more than `MAX_MARKS` combining marks in a row.
    """
    if unicodedata.is_normalized(form, text):
        return text
    if _many_marks().search(text):
        raise CannotJudge(
            f"the text holds more than {MAX_MARKS} combining marks in a row; set normalize to none to compare it as it is"
        )
    normal = unicodedata.normalize(form, text)
    if len(normal) > MAX_LENGTH:
        raise CannotJudge(
            f"the text grows to {len(normal)} characters when it is normalised; {MAX_LENGTH} are allowed"
        )
    return normal


@cache
def _many_marks() -> Any:
    # Everything but the known other categories, so that marks newer than the engine's tables are counted too.
    return re2.compile(rf"[^\pL\pN\pP\pS\pZ\p{{Cc}}\p{{Cf}}\p{{Co}}]{{{MAX_MARKS + 1},}}")
