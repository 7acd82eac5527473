"""Making texts comparable, in bounded time whatever the text."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Literal

from evalrpc_server.domain.documents import MAX_DOCUMENT_BYTES
from evalrpc_server.evaluators.builtin.params import TextOptions
from evalrpc_server.evaluators.builtin.verdicts import CannotJudge

MAX_LENGTH = 2 * MAX_DOCUMENT_BYTES
"""The longest text after normalisation, in characters: some characters become eighteen in NFKC."""

SLICE = 2_000
"""How many characters are normalised at once, and at most twice as many.

Sorting combining marks takes time quadratic in their number, and keeps the interpreter to itself.
"""


def prepare(text: str, options: TextOptions) -> str:
    """Returns a text in the form in which it is compared.

    Raises:
        CannotJudge: the text cannot be normalised within bounds.
    """
    if options.normalize != "none" and not text.isascii():
        text = normalize(options.normalize, text)
    if options.ignore_case:
        text = text.casefold()
        if options.normalize != "none" and not text.isascii():
            text = normalize(options.normalize, text)
    return text.strip() if options.strip else text


def normalize(form: Literal["NFC", "NFKC"], text: str) -> str:
    """Returns a text in a Unicode normalisation form.

    Raises:
        CannotJudge: the text holds thousands of combining marks in a row, or grows above `MAX_LENGTH`.
    """
    if len(text) <= SLICE:
        return unicodedata.normalize(form, text)
    slices, length = [], 0
    for piece in _slices(text):
        slices.append(unicodedata.normalize(form, piece))
        length += len(slices[-1])
        if length > MAX_LENGTH:
            raise CannotJudge(f"the text has more than {MAX_LENGTH} characters when it is normalised")
    return "".join(slices)


def _slices(text: str) -> Iterator[str]:
    start = 0
    while len(text) - start > SLICE:
        end = start + SLICE
        while end < len(text) and not _begins_anew(text[end]):
            end += 1
            if end - start > 2 * SLICE:
                raise CannotJudge(
                    f"the text holds more than {SLICE} combining marks in a row; "
                    "set normalize to none to compare it as it is"
                )
        yield text[start:end]
        start = end
    yield text[start:]


def _begins_anew(character: str) -> bool:
    """Tells whether normalisation never joins a character to what stands before it.

    What it joins are marks, and the vowels and finals of decomposed Hangul.
    """
    return not unicodedata.category(character).startswith("M") and not "\u1160" <= character <= "\u11ff"
