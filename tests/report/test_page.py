"""The page as a file: what it holds, and that nothing of a run becomes part of it."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from html.parser import HTMLParser
from typing import Any

from evalrpc import Evaluation, Item, ItemResult, Verdict
from evalrpc._model.comparison import Comparison, EvaluationComparison
from evalrpc.report import CONTENT_SECURITY_POLICY, live_page, write_report
from tests.report.runs import HOSTILE, an_experiment, hostile, results


class Parts(HTMLParser):
    """The elements of a page, and the text of its scripts, by id."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.scripts: dict[str, str] = {}
        self._open = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag == "script":
            self._open = dict(attrs).get("id") or "program"
            assert self._open not in self.scripts
            self.scripts[self._open] = ""

    def handle_endtag(self, tag: str) -> None:
        self._open = "" if tag == "script" else self._open

    def handle_data(self, data: str) -> None:
        if self._open:
            self.scripts[self._open] += data

    def json(self, name: str) -> Any:
        return json.loads(self.scripts[name])


def written(*arguments: Any, **options: Any) -> str:
    file = io.BytesIO()
    write_report(file, *arguments, **options)
    return file.getvalue().decode()


def test_the_page_holds_the_run_and_needs_nothing_else() -> None:
    page = written(an_experiment(60), results(60))
    parts = Parts(page)
    head = parts.json("run-head")
    assert head["experiment"]["name"] == "Support answers"
    rows = parts.json("run-rows")
    assert len(rows) == 60
    assert rows[0][:4] == ["ticket-00000", 0, 1, {"j": json.dumps(json.loads(rows[0][3]["j"]))}]
    assert "12345678901234567890" in rows[0][3]["j"]
    assert rows[49][7] == ["TASK_TIMEOUT", "no answer within 120 s"]
    assert [evaluation[1] for evaluation in rows[0][6]] == ["b", "n", "l"]
    assert not {"link", "img", "iframe", "object", "base", "form"} & set(parts.tags)
    assert "src" not in dict(parts.attributes)
    assert "@import" not in page
    assert re.findall(r"https?://[\w.]+", re.sub(r"<script type=.*?</script>", "", page)) == [
        "http://www.w3.org"  # the name of SVG, not an address
    ]


def test_a_comparison_brings_the_baseline_and_its_verdicts() -> None:
    verdict = EvaluationComparison(
        "correct", Verdict.REGRESSED, 48, 0.8, 0.6, -0.2, interval=(-0.3, -0.1), lost=12, gained=2
    )
    parts = Parts(
        written(
            an_experiment(50),
            results(50, seed=2),
            comparison=Comparison("exp_0", "exp_1", (verdict,), matched_items=50),
            baseline=an_experiment(50, id="exp_0"),
            baseline_results=results(50),
        )
    )
    head = parts.json("run-head")
    assert head["comparison"]["evaluations"][0]["verdict"] == "REGRESSED"
    assert head["comparison"]["evaluations"][0]["interval"] == [-0.3, -0.1]
    assert head["baseline"]["id"] == "exp_0"
    assert len(parts.json("baseline-rows")) == len(parts.json("run-rows")) == 50


def test_no_text_of_a_run_becomes_part_of_the_page() -> None:
    harmless, page = Parts(written(an_experiment(2), results(2))), Parts(written(*hostile()))
    assert page.tags == harmless.tags
    assert page.scripts["program"] == harmless.scripts["program"]
    rows = page.json("run-rows")
    assert rows[0][0] == rows[0][3] == HOSTILE
    assert "<" not in page.scripts["run-rows"] + page.scripts["run-head"]
    assert rows[1][0] == "\ud800"


def test_only_the_page_s_own_script_may_run() -> None:
    parts = Parts(written(*hostile()))
    digest = base64.b64encode(hashlib.sha256(parts.scripts["program"].encode()).digest()).decode()
    policy = next(
        value for name, value in parts.attributes if name == "content" and "script-src" in (value or "")
    )
    assert policy is not None
    assert f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'sha256-" in policy
    assert "unsafe" not in policy
    assert f"script-src 'sha256-{digest}'" in CONTENT_SECURITY_POLICY
    assert "innerHTML" not in parts.scripts["program"]
    assert Parts(live_page().decode()).scripts["program"] == parts.scripts["program"]


def test_long_texts_are_cut_and_numbers_that_json_lacks_are_left_out() -> None:
    long = json.dumps("x" * 30)
    result = ItemResult(
        item=Item("i", 0, long, json.dumps(["y" * 30])),
        output_json=long,
        evaluations=(Evaluation("n", 1e300, comment="z" * 30), Evaluation("u", unscored="no passages")),
    )
    experiment = an_experiment(1, metadata={"ratio": float("inf")})
    parts = Parts(written(experiment, [result], limit=10))
    (row,) = parts.json("run-rows")
    assert row[3] == row[5] == {"s": "x" * 10, "cut": 20}
    assert row[4] == {"j": '["yyyyyyyy', "cut": 24}
    assert row[6] == [["n", "n", 1e300, {"s": "z" * 10, "cut": 20}], ["u", "u", "no passage"]]
    assert parts.json("run-head")["experiment"]["metadata"] == {"ratio": None}
