"""Three workers in three languages, whose server is killed and restarted; then one is killed, and one frozen.

`python -m tests.conformance.survival` runs an experiment through it, prints how long it took until another worker had what the
lost one was at, and fails unless every item has exactly one result. `--rotate 1` gives the blows to other languages.
"""

from __future__ import annotations

import argparse
import json
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from evalrpc import Client, RetryPolicy, UnavailableError, WorkerTask
from tests.conformance.hosting import FUNCTION, HELD
from tests.conformance.languages import LANGUAGES, launch
from tests.processes import Program
from tests.servers import serving

ITEMS = 1000
HELD_ITEMS = [number for number in range(ITEMS) if number % HELD == HELD - 1]
SECONDS = 60.0
POLL_SECONDS = 0.02


class Calls:
    """What workers have noted: who was called with which input, and when."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def all(self) -> Iterator[tuple[str, int, float]]:
        """Yields worker, input and time in seconds."""
        for path in self._directory.glob("worker-*"):
            for line in path.read_text().splitlines():
                number, milliseconds = line.split()
                yield path.name, int(number), int(milliseconds) / 1000

    def holders(self) -> dict[int, tuple[str, float]]:
        """Returns who was called last with each held input, and when."""
        last: dict[int, tuple[str, float]] = {}
        for worker, number, moment in sorted(self.all(), key=lambda call: call[2]):
            if number % HELD == HELD - 1:
                last[number] = (worker, moment)
        return last

    def busy(self) -> set[str]:
        """Returns the workers that were the last to be called with a held input."""
        return {worker for worker, _ in self.holders().values()}


def until(happened: Callable[[], bool], what: str, seconds: float) -> None:
    """Waits for something that only polling shows."""
    deadline = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds:g} s")
        time.sleep(POLL_SECONDS)


def hand_over(
    victim: str, blow: signal.Signals, workers: Mapping[str, Program], calls: Calls, lease: float
) -> float:
    """Strikes a worker; returns the seconds until others had been called with all that it was at."""
    before = calls.holders()
    lost = {number for number, (worker, _) in before.items() if worker == victim}
    moment = time.time()
    workers[victim].signal(blow)

    def taken_over() -> bool:
        return all(worker != victim for number, (worker, _) in calls.holders().items() if number in lost)

    until(taken_over, f"others take over from {victim}", lease + SECONDS)
    seconds = max(at for number, (_, at) in calls.holders().items() if number in lost) - moment
    print(
        f"{blow.name} of {victim}: others had its {len(lost)} calls after {seconds:.2f} s (lease {lease:g} s)"
    )
    return seconds


def survive(directory: Path, lease: float, rotate: int) -> None:
    """Runs the experiment through all of it."""
    names = [f"worker-{language.name}" for language in LANGUAGES]
    data, notes = directory / "data", directory / "notes"
    notes.mkdir()
    calls = Calls(notes)
    with ThreadPoolExecutor() as pool:
        commands = list(pool.map(lambda language: language.command(directory), LANGUAGES))
    with ExitStack() as stack:
        first = stack.enter_context(serving(data, "--worker-lease", str(lease)))
        told = json.dumps({"address": first.grpc})
        workers = {
            name: stack.enter_context(launch(language, command, told, ["--host", name, str(notes)]))
            for name, language, command in zip(names, LANGUAGES, commands, strict=True)
        }
        for program in workers.values():
            program.wait_for("^connected$", timeout=SECONDS)
        client = stack.enter_context(Client(first.grpc))
        experiment = client.start(
            name="survival",
            data=[{"id": str(number), "input": number} for number in range(ITEMS)],
            task=WorkerTask(function=FUNCTION),
            max_concurrency=60,
            retry=RetryPolicy(max_attempts=10),
        )
        until(lambda: len(set(calls.all())) > ITEMS // 3, "the run is well under way", SECONDS)
        moment = time.monotonic()
        first.program.signal(signal.SIGKILL)
        first.program.wait()
        second = stack.enter_context(serving(data, "--worker-lease", str(lease), "--listen", first.grpc))
        until(
            lambda: completed(client, experiment.id) == ITEMS - len(HELD_ITEMS), "all but the held", SECONDS
        )
        print(
            f"server killed, restarted, and all but the held items done after {time.monotonic() - moment:.2f} s"
        )
        until(lambda: len(calls.holders()) == len(HELD_ITEMS), "all held ones are begun", SECONDS)
        order = names[rotate % 3 :] + names[: rotate % 3]
        killed = next(name for name in order if name in calls.busy())
        hand_over(killed, signal.SIGKILL, workers, calls, lease)
        frozen = next(name for name in order if name in calls.busy() - {killed})
        hand_over(frozen, signal.SIGSTOP, workers, calls, lease)
        (notes / "open").touch()
        workers[frozen].signal(signal.SIGCONT)
        result = client.watch(experiment.id).result()
        results = Counter(int(each.item.id) for each in client.list_results(experiment.id))
        events = [event for event in client.watch(experiment.id) if event.item_result]
        assert second.program.process.poll() is None
    assert result.state == "SUCCEEDED", result.error
    assert results == Counter(range(ITEMS)), "each item has one result"
    assert len(events) == ITEMS, "each result was told once"
    assert all(each.output == int(each.item.id) ** 2 for each in result.item_results)
    print(f"{ITEMS} items, each with exactly one result")


def completed(client: Client, experiment_id: str) -> int:
    """Returns how many items have a result; -1 while the server is away."""
    try:
        return client.get(experiment_id).progress.completed
    except UnavailableError:
        return -1


def main() -> None:
    """Runs it in a directory of its own."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.survival", description=__doc__)
    parser.add_argument("--lease", type=float, default=2.0, help="of the server's, in seconds")
    parser.add_argument("--rotate", type=int, default=0, help="which languages the blows meet")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        survive(Path(directory), options.lease, options.rotate)


if __name__ == "__main__":
    main()
