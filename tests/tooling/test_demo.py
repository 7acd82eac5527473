"""The demo as a user runs it: real services, a real experiment, and nothing left behind however it ends."""

from __future__ import annotations

import re
import signal
import sys
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import psutil
import pytest

from tests.processes import ROOT, Program, running
from tests.standins.langfuse.remote import launched

RUN = ROOT / "clients/python/examples/capitals/run.py"


class Demo:
    """One run of the demo: its temporary files in a folder of its own, its processes recognisable by a mark."""

    def __init__(self, temporary: Path) -> None:
        self.temporary = temporary
        self._mark = uuid.uuid4().hex

    def run(self, **environment: str) -> AbstractContextManager[Program]:
        return running(
            [sys.executable, RUN],
            env={"TMPDIR": str(self.temporary), "DEMO_MARK": self._mark, **environment},
        )

    def processes(self) -> list[psutil.Process]:
        """What runs of the demo, the server and the application included."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def left(self) -> list[object]:
        return [*self.processes(), *self.temporary.iterdir()]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get("DEMO_MARK") == self._mark
        except psutil.Error:  # it has just ended, or belongs to someone else
            return False


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    made = Demo(tmp_path)
    yield made
    for process in made.processes():
        process.kill()


def test_the_demo_shows_its_progress_and_the_disagreements_of_the_two_sources(demo):
    with demo.run() as program:
        assert program.wait(90) == 0, program.output
    output = program.output
    assert "246 items, 2 failed" in output
    assert re.search(r"• exact_match: \d", output)
    assert re.search(r"• similarity: \d", output)
    assert re.search(r"• same_place: \d", output)
    assert re.search(r"• mean_similarity: 0\.9\d", output)
    assert re.search(r"• same_place_rate: 0\.9\d", output)
    assert "agree to the letter on 212 of 246 capitals" in output
    assert re.search(r"^  Burundi +Gitega +Bujumbura +0\.11$", output, re.MULTILINE)
    assert re.search(r"^  Togo +Lome +Lomé +0\.75$", output, re.MULTILINE)
    assert re.search(r"^  Kosovo +Pristina +404 .*knows no country named Kosovo", output, re.MULTILINE)
    assert demo.left() == []


def test_the_demo_records_its_run_in_langfuse(demo):
    with launched() as langfuse, demo.run(**langfuse.environment) as program:
        assert program.wait(90) == 0, program.output
        recorded = langfuse.stats()["projects"]["project-one"]
    output = program.output
    assert "246 items, 2 failed" in output
    assert re.search(rf"🔗 Experiment:\n   {re.escape(langfuse.url)}/project/\S+", output)
    assert recorded["traces"] == 246
    assert recorded["scores"] == 3 * 244 + 2
    assert f"Langfuse has {recorded['traces'] + recorded['scores']} records of it\n" in output
    assert demo.left() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_ends_its_services(demo, number):
    with demo.run() as program:
        program.wait_for("asked by the server")
        assert len(demo.processes()) >= 3
        program.signal(number)
        assert program.wait() == 130
        assert "Traceback" not in program.output
        assert demo.left() == []


def test_a_demo_whose_server_cannot_start_says_why_and_leaves_nothing(demo):
    with demo.run(EVALRPC_MAX_RPCS="none") as program:
        assert program.wait() == 1
        assert "EVALRPC_MAX_RPCS" in program.output
        assert "Traceback" not in program.output
        assert demo.left() == []
