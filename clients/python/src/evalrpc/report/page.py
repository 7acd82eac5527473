"""The page, put together from its parts: a template, a style sheet, scripts, and a run's data."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from html import escape
from importlib.resources import files
from typing import IO, Final

from evalrpc._model.comparison import Comparison
from evalrpc._model.experiment import Experiment
from evalrpc._model.item_result import ItemResult
from evalrpc.report.rows import MAX_CHARACTERS, experiment_head, finite, result_row, to_script

_SCRIPTS = (
    "elements",
    "documents",
    "rows",
    "charts",
    "headline",
    "summary",
    "diff",
    "detail",
    "grid",
    "table",
    "start",
)
_ASSETS = files("evalrpc.report") / "assets"
_ROWS = "<!--rows-->"
_PLACES = re.compile(r"<!--(?:policy|title|head)-->|/\*(?:style|script)\*/")
_CHUNK_ROWS = 500


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text("utf-8")


def _sha256(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


_TEMPLATE: Final = _asset("page.html")
_STYLE: Final = _asset("page.css")
_SCRIPT: Final = '"use strict";\n(() => {\n' + "".join(_asset(f"{name}.js") for name in _SCRIPTS) + "})();\n"

_POLICY: Final = (
    f"default-src 'none'; script-src {_sha256(_SCRIPT)}; style-src {_sha256(_STYLE)}; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)
CONTENT_SECURITY_POLICY: Final = f"{_POLICY}; connect-src 'self'; frame-ancestors 'none'"
"""The policy under which a server sends `live_page()`: nothing but the page's own script runs, whatever a run holds."""


def write_report(
    file: IO[bytes],
    experiment: Experiment,
    results: Iterable[ItemResult],
    *,
    comparison: Comparison | None = None,
    baseline: Experiment | None = None,
    baseline_results: Iterable[ItemResult] = (),
    lower_is_better: Iterable[str] = (),
    limit: int = MAX_CHARACTERS,
) -> None:
    """Writes a run as one HTML file that needs nothing else.

    Args:
        file: where to write; results are written as they come.
        experiment: the run.
        results: its results.
        comparison: how it stands to a baseline.
        baseline: the run that it is compared with.
        baseline_results: the baseline's results.
        lower_is_better: the evaluations of which less is better.
        limit: how many characters of each text are kept.
    """
    head = {
        "generated": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "experiment": experiment_head(experiment),
        "comparison": None if comparison is None else _comparison_head(comparison),
        "lower_is_better": list(lower_is_better),
        "baseline": None if baseline is None else experiment_head(baseline),
    }
    before, after = _page(to_script(head), title=_title(experiment), policy=_POLICY)
    file.write(before.encode())
    for name, each in (("run-rows", results), ("baseline-rows", baseline_results)):
        file.writelines(part.encode() for part in _rows(name, each, limit))
    file.write(after.encode())


def live_page() -> bytes:
    """Returns the page that asks the server it comes from for a run, and follows it; it holds nothing of any run."""
    return "".join(_page(to_script({"live": True}), title="evalrpc", policy="")).encode()


def _title(experiment: Experiment) -> str:
    return f"{experiment.name} · {experiment.run_name}" if experiment.run_name else experiment.name


def _page(head: str, *, title: str, policy: str) -> tuple[str, str]:
    """Returns what stands before the results, and what behind them."""
    meta = f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">' if policy else ""
    safe = title.encode("utf-8", "replace").decode()
    parts = {
        "<!--policy-->": meta,
        "<!--title-->": escape(safe),
        "/*style*/": _STYLE,
        "<!--head-->": f'<script type="application/json" id="run-head">{head}</script>',
        "/*script*/": _SCRIPT,
    }
    whole = _PLACES.sub(lambda match: parts[match[0]], _TEMPLATE)
    before, _, after = whole.rpartition(_ROWS)
    return before, after


def _rows(name: str, results: Iterable[ItemResult], limit: int) -> Iterator[str]:
    """Yields a script element with an array of results, in parts."""
    yield f'<script type="application/json" id="{name}">['
    parts: list[str] = []
    separator = ""
    for result in results:
        parts.append(separator + to_script(result_row(result, limit=limit)))
        separator = ","
        if len(parts) == _CHUNK_ROWS:
            yield "".join(parts)
            parts.clear()
    yield f"{''.join(parts)}]</script>\n"


def _comparison_head(comparison: Comparison) -> object:
    """Returns a comparison without its flips, which the results of both runs show."""
    plain = comparison.to_dict()
    for evaluation in plain.get("evaluations", ()):
        evaluation.pop("flips", None)
    return finite(plain)
