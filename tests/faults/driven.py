"""The machine's lower half: it carries out what a rule wants, on the server and in the model, and compares the two."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis.stateful import RuleBasedStateMachine
from msgspec.structs import replace

from evalrpc_server.domain.errors import AlreadyExistsError
from evalrpc_server.domain.experiments import State
from evalrpc_server.store.registry import open_store
from evalrpc_server.targets.port import TaskCall
from tests.faults.model import MAX_RUNNING, Accepted, Content, Model, Trial, kind
from tests.faults.subject import Subject, eventually
from tests.runner.world import answer, failure, items, new_experiment

T = TypeVar("T")
Given = tuple[Accepted, Trial, str]
"""An answer to a task call: "ok", "failed" or "again"."""

_MEMORY = Path("/dev/shm")  # where the file system does not wait for a disk


class Driven(RuleBasedStateMachine):
    """A server and the model of it."""

    histories = 0
    steps = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).histories += 1
        self.directory = Path(
            tempfile.mkdtemp(prefix="evalrpc-model-", dir=_MEMORY if _MEMORY.exists() else None)
        )
        self.runner = asyncio.Runner()
        self.model = Model()
        self.known: dict[str, Accepted] = {}
        self.uploads: dict[str, int] = {}
        self.violations: list[str] = []
        self.intact = True
        self.subject = Subject(self.directory, MAX_RUNNING)
        self.subject.calls = self.called
        self.do(self.subject.open())

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine; where it fails, there is no sense in an orderly end."""
        self.intact = False
        result = self.runner.run(work)
        self.intact = True
        return result

    def teardown(self) -> None:
        try:
            if self.intact:
                self.finish()
                self.do(self.subject.drain())
        finally:
            self.runner.close()
            shutil.rmtree(self.directory)

    def pick(self, number: int) -> Accepted:
        return self.model.experiments[number % len(self.model.experiments)]

    # ---------------------------------------------------------------------------------------- callers

    async def begin(self, content: Content, request_id: str, *, leaves: bool) -> None:
        """Starts an experiment, and may leave before the answer; joins one, or is refused, where the id is taken."""
        manager, taken = self.subject.world.manager, self.model.find(request_id)
        accepted = Accepted(f"exp_{len(self.known)}", content, request_id)
        self.known[accepted.id] = accepted
        data = {"items": None, "upload": content.upload} if content.upload else {}
        experiment = new_experiment(
            content.items,
            id=accepted.id,
            request_id=request_id,
            max_concurrency=content.concurrency,
            repetitions=content.repetitions,
            retry={"max_attempts": content.attempts},
            **data,
        )
        starting = asyncio.create_task(
            manager.start(
                replace(experiment, items=content.upload or accepted.id),
                items=() if content.upload else items(content.items),
                request_id=request_id,
                fingerprint=repr(content),
            )
        )
        if taken and taken.content != content:
            with pytest.raises(AlreadyExistsError):
                await starting
        elif taken:
            assert (await starting).id == taken.id
        elif leaves:
            for _ in range(2):
                await asyncio.sleep(0)
            starting.cancel()
            with suppress(asyncio.CancelledError):
                await starting
            await self.subject.flush()
            if await self.subject.world.store.get_experiment(accepted.id):
                self.model.experiments.append(accepted)
        else:
            assert (await starting).id == accepted.id
            self.model.experiments.append(accepted)

    async def store_items(self, name: str, pieces: list[int]) -> None:
        store, every = self.subject.world.store, items(sum(pieces))
        await store.create_collection(name)
        for size in pieces:
            await store.append_items(name, every[:size])
            every = every[size:]
        await store.append_items(name, (), complete=True)

    # ------------------------------------------------------------------------------------------- task

    def called(self, call: TaskCall) -> None:
        """Notes a task call, and whatever must not be about it."""
        accepted, trial = self.known[call.experiment.id], (call.item.index, call.trial)
        accepted.calls[trial] += 1
        if trial in accepted.results:
            self.violations.append(f"{trial} of {accepted.id} has a result and was called again")
        if call.attempt != accepted.calls[trial] or call.attempt > accepted.content.attempts:
            self.violations.append(f"attempt {call.attempt} of {trial} is call {accepted.calls[trial]}")
        if self.subject.in_flight()[accepted.id] >= accepted.content.concurrency:
            self.violations.append(f"{accepted.id} has more task calls in flight than it may")

    def give(self, answers: list[tuple[int, str]]) -> list[Given]:
        """Answers some of the task calls in flight."""
        given: list[Given] = []
        for number, outcome in answers:
            if not (waiting := self.subject.waiting()):
                break
            held = waiting[number % len(waiting)]
            accepted = self.known[held.call.experiment.id]
            if outcome == "ok":
                held.answer.set_result(answer(held.call.item.index))
            else:
                held.answer.set_exception(failure(retryable=outcome == "again"))
            last = outcome == "again" and held.call.attempt == accepted.content.attempts
            trial = (held.call.item.index, held.call.trial)
            given.append((accepted, trial, "failed" if last else outcome))
        return given

    def note(self, given: list[Given]) -> None:
        for accepted, trial, outcome in given:
            if outcome == "again":
                accepted.sleeping.add(trial)
            else:
                accepted.results[trial] = outcome

    def wake(self) -> None:
        """Lets so much time pass that every trial that waits for its next attempt gets it."""
        self.subject.world.clock.advance(1000)
        for one in self.model.experiments:
            one.sleeping.clear()

    # ------------------------------------------------------------------------------------ the process

    def reopen(self) -> None:
        for one in self.model.experiments:
            one.forget_process()
        self.do(self.subject.open())
        self.settle()

    async def learn(self, given: list[Given]) -> None:
        """Finds out what a crash left: all that was told to anyone, and of the rest only what was under way."""
        possible = {(accepted.id, trial): outcome for accepted, trial, outcome in given}
        store = open_store(self.directory)
        await store.open()
        for one in self.model.experiments:
            stored = await store.get_experiment(one.id)
            assert stored is not None, "an accepted experiment is gone"
            page = await store.read_results(one.id, limit=1000)
            found = {(result.item.index, result.trial): kind(result) for result in page.results}
            assert one.results.items() <= found.items(), "a result that was streamed is gone"
            for trial in found.keys() - one.results.keys():
                assert found[trial] in {possible.get((one.id, trial)), "cancelled"}
            one.results = found
            one.forget_process()
            if stored.state is State.CANCELLING:
                one.cancel()
        await store.close()

    # --------------------------------------------------------------------------------- the comparison

    def settle(self) -> None:
        """Waits until the server is where the model is, and reads what the logs have more by then."""
        type(self).steps += 1
        self.model.settle()
        self.do(eventually(self.complaint))
        self.do(self.read_logs())

    async def complaint(self) -> str:
        in_flight = self.subject.in_flight()
        for one in self.model.experiments:
            experiment = await self.subject.world.manager.get(one.id)
            found = (experiment.state, experiment.progress.completed, in_flight[one.id])
            expected = (one.state, len(one.results), one.calls_in_flight)
            if found != expected:
                return f"{one.id} has state, results and task calls {found}, not {expected}"
            for follower in self.subject.followers:
                if follower.experiment_id == one.id and follower.position != experiment.sequence:
                    return f"a watcher is at {follower.position} instead of {experiment.sequence}"
        sleeping = sum(len(one.sleeping) for one in self.model.experiments)
        if self.subject.sleepers() != sleeping:
            return f"{self.subject.sleepers()} trials wait for their next attempt, not {sleeping}"
        return ""

    async def read_logs(self) -> None:
        manager = self.subject.world.manager
        for one in self.model.experiments:
            sequence = (await manager.get(one.id)).sequence
            async with aclosing(manager.watch(one.id, len(one.log))) as watch:
                while len(one.log) < sequence:
                    one.learn((await anext(watch)).event)

    def finish(self) -> None:
        """Lets everything end: whatever happened, nothing that was accepted stays behind."""
        while any(not one.state.final for one in self.model.experiments):
            self.note(self.give([(0, "ok")] * len(self.subject.held)))
            self.wake()
            self.settle()
        self.check()
        for one in self.model.experiments:
            assert self.do(self.subject.world.events(one.id)) == one.log

    def check(self) -> None:
        """Holds everything seen so far to the promises."""
        assert not self.violations
        logs = {one.id: one.log for one in self.model.experiments}
        for one in self.model.experiments:
            one.check_log()
        for follower in self.subject.followers:
            assert follower.events == logs[follower.experiment_id][follower.after :]
