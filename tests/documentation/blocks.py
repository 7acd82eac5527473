"""The code blocks of a document, and both sides of those that show a change."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^(#+) (.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A code block.

    Attributes:
        section: the heading of the second level that it stands under.
        heading: the one that it stands under.
        language: as the block names it.
        code: what is in it.
    """

    section: str
    heading: str
    language: str
    code: str

    @property
    def before(self) -> str:
        """Of a diff, the lines that are there before the change."""
        return self._side("-")

    @property
    def after(self) -> str:
        """Of a diff, the lines that are there after the change."""
        return self._side("+")

    def _side(self, mark: str) -> str:
        lines = self.code.splitlines(keepends=True)
        return "".join(line[1:] or "\n" for line in lines if line[:1] in (mark, " ", "\n", ""))


def blocks_removed(text: str) -> str:
    """Returns a document without its code blocks."""
    return _BLOCK.sub("", text)


def blocks_of(document: Path) -> list[Block]:
    """Returns the blocks of a document, in order."""
    text = document.read_text("utf-8")
    found = []
    for match in _BLOCK.finditer(text):
        headings = [("##", ""), *_HEADING.findall(blocks_removed(text[: match.start()]))]
        section = next(title for level, title in reversed(headings) if level == "##")
        found.append(Block(section, headings[-1][1], match["language"], match["code"]))
    return found
