"""Random histories of a runner over a real store, against the model of what the contract promises (§4).

`make pytest ARGS="--hypothesis-profile=explore tests/faults/test_state_machine.py"` tries more and other histories than
every run does.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from evalrpc_server.domain.errors import OutOfRangeError
from evalrpc_server.domain.results import ItemResult
from evalrpc_server.store.port import ResultOrder
from tests.faults.driven import Driven, Given
from tests.faults.model import Content
from tests.faults.subject import Follower

ANY = st.integers(0, 1000)
"""Picks one of what there is by then."""
ANSWERS = st.lists(
    st.tuples(ANY, st.sampled_from(["ok", "ok", "failed", "again", "again"])), min_size=1, max_size=8
)
CONTENTS = st.builds(
    Content,
    items=st.integers(1, 8),
    repetitions=st.integers(1, 2),
    concurrency=st.integers(1, 4),
    attempts=st.integers(1, 3),
)


class Promises(Driven):
    """A caller, a task and an operator who do what they like; after each step everything is as the model has it."""

    # ---------------------------------------------------------------------------------------- callers

    @rule(content=CONTENTS, request_id=st.sampled_from(["", "a", "b", "c"]), leaves=st.booleans())
    def start(self, content: Content, request_id: str, leaves: bool) -> None:
        self.do(self.begin(content, request_id, leaves=leaves))
        self.settle()

    @precondition(lambda self: self.uploads)
    @rule(content=CONTENTS, number=ANY)
    def start_with_upload(self, content: Content, number: int) -> None:
        upload = sorted(self.uploads)[number % len(self.uploads)]
        self.do(self.begin(replace(content, items=self.uploads[upload], upload=upload), "", leaves=False))
        self.settle()

    @precondition(lambda self: any(one.request_id for one in self.model.experiments))
    @rule(number=ANY)
    def repeat_a_start(self, number: int) -> None:
        named = [one for one in self.model.experiments if one.request_id]
        known = named[number % len(named)]
        self.do(self.begin(known.content, known.request_id, leaves=False))
        self.settle()

    @rule(pieces=st.lists(st.integers(1, 4), min_size=1, max_size=3))
    def upload(self, pieces: list[int]) -> None:
        name = f"upload_{len(self.uploads)}"
        self.do(self.store_items(name, pieces))
        self.uploads[name] = sum(pieces)

    @precondition(lambda self: self.model.experiments)
    @rule(number=ANY)
    def cancel(self, number: int) -> None:
        chosen = self.pick(number)
        self.do(self.subject.world.manager.cancel(chosen.id))
        chosen.cancel()
        self.settle()

    @precondition(lambda self: self.model.experiments)
    @rule(number=ANY, after=ANY)
    def follow(self, number: int, after: int) -> None:
        chosen = self.pick(number)
        self.do(self.subject.follow(Follower(chosen.id, after % (len(chosen.log) + 1))))
        self.settle()

    @precondition(lambda self: self.subject.followers)
    @rule(number=ANY)
    def cut_a_watch(self, number: int) -> None:
        self.do(self.subject.cut(self.subject.followers[number % len(self.subject.followers)]))
        self.settle()

    @precondition(lambda self: self.model.experiments)
    @rule(number=ANY)
    def watch_behind_the_end(self, number: int) -> None:
        chosen = self.pick(number)

        async def watch() -> None:
            with pytest.raises(OutOfRangeError):
                await anext(self.subject.world.manager.watch(chosen.id, len(chosen.log) + 1))

        self.do(watch())

    @precondition(lambda self: self.model.experiments)
    @rule(number=ANY, order=st.sampled_from(ResultOrder), limit=st.integers(1, 7), failed_only=st.booleans())
    def list_results(self, number: int, order: ResultOrder, limit: int, failed_only: bool) -> None:
        chosen = self.pick(number)
        expected = [event.body for event in chosen.log if isinstance(event.body, ItemResult)]
        if order is ResultOrder.ITEM:
            expected.sort(key=lambda result: (result.item.index, result.trial))
        if failed_only:
            expected = [result for result in expected if result.failed]
        store = self.subject.world.store

        async def pages() -> list[ItemResult]:
            found, cursor = list[ItemResult](), ""
            while True:
                page = await store.read_results(
                    chosen.id, order=order, limit=limit, cursor=cursor, failed_only=failed_only
                )
                found += page.results
                if not (cursor := page.next_cursor):
                    return found

        assert self.do(pages()) == expected

    # ---------------------------------------------------------------------------------- task and time

    @precondition(lambda self: self.subject.held)
    @rule(answers=ANSWERS)
    def answer(self, answers: list[tuple[int, str]]) -> None:
        self.note(self.give(answers))
        self.settle()

    @precondition(lambda self: any(one.sleeping for one in self.model.experiments))
    @rule()
    def let_time_pass(self) -> None:
        self.wake()
        self.settle()

    # ------------------------------------------------------------------------------------ the process

    @rule(patient=st.booleans())
    def restart(self, patient: bool) -> None:
        given: list[Given] = []

        def answer_all() -> None:
            given.extend(self.give([(0, "ok")] * len(self.subject.held)))

        sleeping = any(one.sleeping for one in self.model.experiments)
        self.do(self.subject.drain(answer=answer_all if patient and not sleeping else None))
        self.note(given)
        self.reopen()

    @rule(answers=ANSWERS, stored=st.booleans(), cancelled=st.none() | ANY)
    def crash(self, answers: list[tuple[int, str]], stored: bool, cancelled: int | None) -> None:
        given: list[Given] = []

        def act() -> None:
            given.extend(self.give(answers))
            if cancelled is not None and self.model.experiments:
                self.subject.world.manager.stop(self.pick(cancelled).id)

        self.do(self.subject.kill(stored=stored, act=act))
        self.do(self.learn(given if stored else []))
        self.reopen()

    # ----------------------------------------------------------------------------------- the promises

    @invariant()
    def nothing_broken(self) -> None:
        self.check()


@pytest.mark.timeout(900)
def test_no_history_breaks_a_promise() -> None:
    Promises.histories = Promises.steps = 0
    examples = max(200, settings().max_examples)
    run_state_machine_as_test(Promises, settings=settings(max_examples=examples, stateful_step_count=30))
    print(f"{Promises.histories} histories of {Promises.steps} steps in all")
    assert Promises.histories >= 200
