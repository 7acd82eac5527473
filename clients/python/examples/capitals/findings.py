"""The demo's finding: where two public sources disagree about a capital, as a table for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evalrpc import Error, ItemResult


def report_findings(results: Sequence[ItemResult]) -> str:
    """Returns a table of the results that are not an exact match, real disagreements first."""
    failed = [result for result in results if result.error is not None]
    differing = [result for result in results if result.error is None and not score(result, "exact_match")]
    places = [result for result in differing if not score(result, "same_place")]
    spellings = [result for result in differing if score(result, "same_place")]
    agreed = len(results) - len(failed) - len(differing)
    return "\n".join(
        [
            f"The two sources agree to the letter on {agreed} of {len(results)} capitals.",
            *_table(
                "Another place", sorted(places, key=lambda result: float(score(result, "similarity") or 0))
            ),
            *_table("Another spelling", spellings),
            *_table("No answer", failed),
        ]
    )


def score(result: ItemResult, name: str) -> float | bool | str | None:
    """Returns the value of one of a result's evaluations; None if there is none."""
    return next((evaluation.value for evaluation in result.evaluations if evaluation.name == name), None)


def _table(title: str, results: Sequence[ItemResult]) -> Iterator[str]:
    if not results:
        return
    yield ""
    yield _row(f"{title} ({len(results)})", "GeoNames", "countryinfo", "similarity")
    for result in results:
        similarity = score(result, "similarity")
        yield _row(
            result.item.metadata["country"],
            result.item.expected_output,
            _failure(result.error) if result.error else result.output,
            f"{similarity:.2f}" if isinstance(similarity, float) else "",
        )


def _failure(error: Error) -> str:
    """What the application said when it had no answer: its status, and the beginning of its body."""
    return f"{error.metadata.get('status', error.reason)} {error.metadata.get('body', '')}"


def _row(*cells: str) -> str:
    place, expected, answer, similarity = cells
    return f"  {place[:37]:<38}{expected[:23]:<24}{answer:<24}{similarity:>10}".rstrip()
