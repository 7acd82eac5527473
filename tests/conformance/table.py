"""The table of features by language, which stands in the documentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.conformance.features import Feature
from tests.conformance.languages import Language
from tests.processes import ROOT

PAGE = ROOT / "clients" / "README.md"
_BEGIN = "<!-- Written by `make conformance ARGS=--write`. -->\n"
_END = "<!-- End of what is written. -->\n"


def table(
    features: Sequence[Feature], languages: Sequence[Language], passed: Mapping[tuple[str, str], bool]
) -> str:
    """Returns the table in Markdown: a row for each feature, a column for each language."""
    lines = [f"| feature | {' | '.join(language.title for language in languages)} |"]
    lines.append("|---" * (len(languages) + 1) + "|")
    for feature in features:
        marks = [_mark(feature, language, passed) for language in languages]
        lines.append(f"| {feature.title} | {' | '.join(marks)} |")
    return "\n".join(lines) + "\n"


def written(page: str, content: str) -> str:
    """Returns the page with another table.

    Raises:
        ValueError: the page has no place for it.
    """
    before, begin, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"{PAGE} has no place for the table: {_BEGIN.strip()} and {_END.strip()}")
    return f"{before}{begin}\n{content}\n{end}{after}"


def _mark(feature: Feature, language: Language, passed: Mapping[tuple[str, str], bool]) -> str:
    if not passed.get((feature.name, language.name), False):
        return "no"
    return f"[yes](../tests/conformance/{feature.name}/feature.{language.suffix})"
