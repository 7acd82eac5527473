"""The page in a real browser: `make test-report`. Not part of `make test`, whose machine has no browser."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from evalrpc import Client, Evaluation, Item, ItemResult, Verdict
from evalrpc._model.comparison import Comparison, EvaluationComparison
from evalrpc.report import write_report
from tests.clients.python.application import application
from tests.report.chromium import Tab, chromium
from tests.report.runs import HOSTILE, an_experiment, hostile, results
from tests.servers import serving

ITEMS = 20_000
TOKEN = "evr_for-tests"


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with chromium(tmp_path_factory.mktemp("profile")) as made:
        yield made


@pytest.fixture
def show(tab: Tab, tmp_path: Path) -> Callable[..., None]:
    """Writes a report and opens it."""

    def opened(*arguments: Any, **options: Any) -> None:
        path = tmp_path / "report.html"
        with path.open("wb") as file:
            write_report(file, *arguments, **options)
        tab.resize(1320, 1000)
        tab.open(path.as_uri())
        tab.wait_until("document.querySelector('.row')")

    return opened


def text(tab: Tab, selector: str) -> str:
    found = tab.run(f"document.querySelector({selector!r})?.innerText ?? ''")
    assert isinstance(found, str)
    return found


def test_a_large_run_keeps_few_rows_and_shows_all_of_them(tab: Tab, show: Callable[..., None]) -> None:
    show(an_experiment(ITEMS), results(ITEMS))
    assert text(tab, "#count").startswith("20,000")
    tab.run("document.querySelector('.head button').click()")  # by item
    assert "ticket-00000" in text(tab, "#row-0")
    tab.run("document.getElementById('grid').scrollTop = 1e9")
    tab.wait_until(f"document.getElementById('row-{ITEMS - 1}')")
    assert f"ticket-{ITEMS - 1:05}" in text(tab, f"#row-{ITEMS - 1}")
    assert tab.run("document.querySelectorAll('.row').length") < 100
    tab.run("document.getElementById('grid').focus()")
    tab.press("/", "/")
    for letter in "ticket-00777":
        tab.press(letter, letter)
    tab.wait_until("document.querySelectorAll('.row').length === 1")
    assert text(tab, "#count").startswith("1 of 20,000")
    assert tab.problems == []


def test_keys_move_and_open_and_close(tab: Tab, show: Callable[..., None]) -> None:
    verdict = EvaluationComparison("correct", Verdict.REGRESSED, 98, 0.8, 0.5, -0.3, interval=(-0.4, -0.2))
    show(
        an_experiment(100),
        results(100, right=0.5, seed=2),
        comparison=Comparison("exp_0", "exp_1", (verdict,), matched_items=100),
        baseline=an_experiment(100, id="exp_0"),
        baseline_results=results(100),
    )
    assert "Regressed: correct" in text(tab, "#verdict")
    assert "lost" in tab.run("document.getElementById('row-0').className")  # flips first
    tab.run("document.getElementById('grid').focus()")
    for key in ("ArrowDown", "ArrowDown", "Enter"):
        tab.press(key)
    assert tab.run("document.getElementById('detail').hidden") is False
    assert text(tab, "#detail h3") in text(tab, "#row-1")
    assert tab.run("document.querySelectorAll('#detail del, #detail ins').length") > 0
    assert "12345678901234567890" in text(tab, "#detail pre")
    tab.press("Escape")
    assert tab.run("document.getElementById('detail').hidden") is True
    assert tab.run("document.activeElement.id") == "grid"
    assert tab.problems == []


def test_where_less_is_better_more_is_a_loss(tab: Tab, show: Callable[..., None]) -> None:
    def run(*values: float) -> list[ItemResult]:
        return [
            ItemResult(item=Item(str(index), index, '"q"'), evaluations=(Evaluation("words", value),))
            for index, value in enumerate(values)
        ]

    baseline = {"baseline": an_experiment(3, id="exp_0"), "baseline_results": run(5, 5, 5)}
    for lower, lost in (([], "1"), (["words"], "2")):
        show(an_experiment(3), run(5, 4, 7), lower_is_better=lower, **baseline)
        assert text(tab, "#row-0").startswith(lost)
        assert tab.run("document.querySelectorAll('.row.lost').length") == 1
        assert tab.run("document.querySelectorAll('.row.gained').length") == 1


def test_hostile_texts_stay_texts(tab: Tab, show: Callable[..., None]) -> None:
    show(*hostile())
    for place in (0, 1):
        tab.run(f"document.getElementById('row-{place}').click()")
        tab.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    tab.run("window.dispatchEvent(new Event('beforeprint'))")
    assert HOSTILE in text(tab, "h1")
    assert tab.run("document.title") != "owned"
    assert tab.run("document.querySelectorAll('img, iframe, script[src], a[href^=javascript]').length") == 0
    assert tab.problems == []


@pytest.mark.parametrize(("width", "dark"), [(390, False), (768, True), (1320, True)])
def test_the_page_fits_its_window(tab: Tab, show: Callable[..., None], width: int, dark: bool) -> None:
    show(an_experiment(60), results(60), baseline=an_experiment(60), baseline_results=results(60, seed=2))
    tab.resize(width, 900, dark=dark)
    assert tab.run("document.documentElement.scrollWidth - innerWidth") <= 0
    ground = tab.run("getComputedStyle(document.body).backgroundColor")
    assert (sum(int(part) for part in ground[4:-1].split(",")) < 200) is dark
    assert tab.problems == []


def test_paper_gets_the_listed_items(tab: Tab, show: Callable[..., None]) -> None:
    show(an_experiment(40), results(40))
    tab.run("window.dispatchEvent(new Event('beforeprint'))")
    assert tab.run("document.querySelectorAll('.printed tbody tr').length") == 40
    tab.run("window.dispatchEvent(new Event('afterprint'))")
    assert tab.run("document.querySelectorAll('.printed').length") == 0


def test_the_live_page_asks_for_a_token_and_follows_the_run(tab: Tab, tmp_path: Path) -> None:
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    (tmp_path / "tokens.yaml").write_text(f"tokens:\n  - {{name: ci, sha256: {digest}}}\n")
    data = [{"id": "first", "input": "now"}, {"id": "second", "input": "later"}]
    with (
        serving(tmp_path / "data", "--tokens", str(tmp_path / "tokens.yaml")) as server,
        application() as app,
        Client(server.grpc, token=TOKEN) as client,
    ):
        started = client.start(name="Live", data=data, task=app.gated)
        try:
            tab.open(f"http://{server.http}/runs/{started.id}")
            tab.wait_until("document.getElementById('token')")
            assert "Live" not in text(tab, "main")
            for letter in TOKEN:
                tab.press(letter, letter)
            tab.press("Enter", "\r")
            tab.wait_until("document.querySelectorAll('.row').length === 1")
            assert "Running: 1 of 2" in text(tab, "#verdict")
        finally:
            app.gate.set()
        tab.wait_until("document.querySelectorAll('.row').length === 2")
        tab.wait_until("!document.getElementById('verdict').classList.contains('busy')")
        assert text(tab, "h1") == "Live"
