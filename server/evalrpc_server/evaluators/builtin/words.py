"""Splitting text into words, in any script."""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import cache

NO_SPACES = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\u1780-\u17ff"  # Myanmar, Khmer
    "\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9d"  # Hiragana, Katakana
    "\u2e80-\u2fdf\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
)
"""Scripts written without spaces between words: each character counts as a word, as usual for Chinese and Japanese."""


_ASCII = re.compile(r"[A-Za-z0-9]+(?:'[A-Za-z0-9]+)*")

PIECE = 10_000
"""How much text without white space is searched at once, in characters; a longer word counts as several."""


def words_of(text: str) -> list[str]:
    """Returns the words of a text, in order.

    A word is a run of letters, marks and digits, with single apostrophes inside (don't). In scripts that put no spaces
    between words, each character with its marks is one. Punctuation and symbols are left out.
    """
    words: list[str] = []
    # Piece by piece, because a search keeps the interpreter to itself until it ends.
    for run in text.split():
        for start in range(0, len(run), PIECE):
            piece = run[start : start + PIECE]
            words += (_ASCII if piece.isascii() else _pattern()).findall(piece)
    return words


@cache
def _pattern() -> re.Pattern[str]:
    # The standard library's \w has no combining marks, which would break Hindi or Thai words apart.
    marks = _marks()
    word = rf"(?:(?![{NO_SPACES}])[^\W_]|[{marks}])"
    return re.compile(rf"[{NO_SPACES}][{marks}]*|{word}+(?:['\u2019]{word}+)*")


def _marks() -> str:
    ranges: list[list[int]] = []
    planes = [range(0x300, 0x20000), range(0xE0100, min(0xE01F0, sys.maxunicode))]
    for code in (code for plane in planes for code in plane):
        if unicodedata.category(chr(code))[0] == "M":
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return "".join(f"{chr(low)}-{chr(high)}" for low, high in ranges)
