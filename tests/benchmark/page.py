"""Measures the report of a large run: `python -m tests.benchmark.page [--items N]`.

The report is written from results made up in memory, alone and beside a baseline, and opened in headless Chromium (software
rendering, no GPU): the first content on the screen, all of it drawn, frames while the table is scrolled by three rows per frame
and by jumps, and the time from a key in the search field to the rows that match.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from evalrpc.report import write_report
from tests.report.chromium import Tab, chromium
from tests.report.runs import an_experiment, results

ITEMS = 20_000

_FRAMES = 300
_SCROLLED = """
(async () => {
  const grid = document.getElementById('grid'), times = [];
  grid.scrollTop = 0;
  await new Promise(requestAnimationFrame);
  for (let frame = 1; frame <= %(frames)d; frame += 1) {
    const begin = performance.now();
    grid.scrollTop = %(top)s;
    await new Promise(requestAnimationFrame);
    times.push(performance.now() - begin);
  }
  times.sort((one, other) => one - other);
  return [times[times.length >> 1], times[Math.floor(times.length * 0.95)]];
})()
"""
_SEARCHED = """
(() => {
  const field = document.getElementById('search'), begin = performance.now();
  field.value = 'ticket-00777';
  field.dispatchEvent(new Event('input'));
  document.querySelector('.row').getBoundingClientRect();
  return performance.now() - begin;
})()
"""


def main() -> int:
    """Writes the reports, opens them, and prints what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=ITEMS)
    parser.add_argument("--json", type=Path, help="write the figures to a file, too")
    arguments = parser.parse_args()
    if shutil.which("chromium") is None:
        print("the report is not measured: chromium is not installed (.ci/install-chromium brings it)")
        return 0
    found = {}
    with tempfile.TemporaryDirectory() as directory, chromium(Path(directory, "profile")) as tab:
        for name, compared in (("report", False), ("report with baseline", True)):
            found[name] = measured(tab, Path(directory, "report.html"), arguments.items, compared=compared)
    print(f"the report of {arguments.items:,} items, in headless Chromium")
    for name, figures in found.items():
        for figure, value in figures.items():
            print(f"  {name:<22} {figure:<28} {value:10.2f}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"items": arguments.items, **found}))
    return 0


def measured(tab: Tab, path: Path, count: int, *, compared: bool) -> dict[str, float]:
    """Writes a report to `path`, opens it, and returns the figures by name with their unit."""
    begin = time.perf_counter()
    baseline: dict[str, Any] = {}
    if compared:
        baseline = {"baseline": an_experiment(count), "baseline_results": results(count, seed=2)}
    with path.open("wb") as file:
        write_report(file, an_experiment(count), results(count), **baseline)
    written = time.perf_counter() - begin
    tab.resize(1320, 1000)
    tab.open(path.as_uri())
    tab.wait_until("document.querySelector('.row')")
    paint = tab.run("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    loaded = tab.run("performance.getEntriesByType('navigation')[0].loadEventEnd")
    rolled = tab.run(_SCROLLED % {"frames": _FRAMES, "top": "frame * 120"})
    jumped = tab.run(_SCROLLED % {"frames": _FRAMES, "top": f"frame / {_FRAMES} * grid.scrollHeight"})
    rows = tab.run("document.querySelectorAll('.row').length")
    return {
        "written, s": written,
        "file, MB": path.stat().st_size / 1e6,
        "first contentful paint, ms": paint,
        "all drawn, ms": loaded,
        "frame scrolling, ms": rolled[0],
        "frame scrolling p95, ms": rolled[1],
        "frame jumping, ms": jumped[0],
        "frame jumping p95, ms": jumped[1],
        "first search, ms": tab.run(_SEARCHED),
        "rows in the document": rows,
    }


if __name__ == "__main__":
    raise SystemExit(main())
