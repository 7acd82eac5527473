"""The tables of the documentation are what the simulation finds, and what they show is what is promised."""

from __future__ import annotations

import re
from itertools import zip_longest

from tests.processes import ROOT
from tests.statistics.simulation import Row, alarms, coverage

DOCUMENT = ROOT / "server/docs/statistics.md"
ROUNDING = 0.003
"""How far a share may be off: other builds of the mathematics library may decide a draw that is on the edge."""


def documented(heading: str) -> list[Row]:
    """Returns the rows of a table of the documentation."""
    lines = DOCUMENT.read_text("utf-8").split(f"{heading}\n")[1].splitlines()[1:]
    rows = []
    for line in lines[: lines.index("")]:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        shares = [cell for cell in cells if re.fullmatch(r"[\d.]+%", cell)]
        words = cells[: len(cells) - len(shares)]
        rows.append(Row(tuple(words), tuple(float(share[:-1]) / 100 for share in shares)))
    return rows


def agree(found: list[Row], told: list[Row]) -> None:
    for row, other in zip_longest(found, told):
        assert row.words == other.words
        for share, written in zip_longest(row.shares, other.shares):
            assert abs(share - written) <= ROUNDING, row


def test_intervals_hold_the_true_value_as_often_as_they_say() -> None:
    found = list(coverage())
    agree(found, documented("| Interval | Values | Holds the true value |"))
    for row in found:
        few = row.words == ("Tango", "30 pairs of booleans, 85 % and 80 %")
        assert 0.94 <= row.shares[0] <= (0.98 if few else 0.96), row


def test_equal_runs_raise_few_alarms() -> None:
    found = list(alarms())
    agree(found, documented("| Two runs | Rule | REGRESSED | IMPROVED | PASS | INCONCLUSIVE |"))
    judged = [row for row in found if row.words[1].startswith("margin")]
    equal, different = judged[:-3], judged[-3:]
    assert all(row.shares[0] <= 0.05 for row in equal)
    assert all(row.shares[0] >= 0.9 and row.shares[1] == 0 for row in different)
