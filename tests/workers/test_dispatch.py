"""Which worker gets a call."""

from __future__ import annotations

import pytest

from evalrpc_server.domain.errors import RequestError
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.workers.messages import Assignment, Cancellation
from evalrpc_server.workers.work import HandedBack, WorkerLostError
from tests.workers.scripted import (
    ScriptedWorker,
    answered,
    begin,
    outcome,
    settle,
    supervised,
)


async def test_nothing_is_assigned_without_credit_and_each_credit_is_one_call():
    async with supervised() as (hub, _):
        worker = ScriptedWorker(hub)
        calls = [begin(hub) for _ in range(5)]
        await settle()
        assert worker.tokens == []
        worker.grant(2)
        assert len(worker.tokens) == 2
        worker.grant(1)
        assert len(worker.tokens) == 3
        for call in calls:
            call.cancel()


async def test_never_more_than_max_in_flight_whatever_the_credit():
    async with supervised() as (hub, _):
        worker = ScriptedWorker(hub, max_in_flight=3)
        worker.grant(1000)
        calls = [begin(hub) for _ in range(10)]
        await settle()
        assert len(worker.tokens) == 3
        worker.report(worker.tokens[0])
        assert len(worker.tokens) == 4
        assert await outcome(calls[0]) == answered("done")
        for call in calls:
            call.cancel()


async def test_calls_are_shared_by_free_credit():
    async with supervised() as (hub, _):
        small, large = ScriptedWorker(hub, "small"), ScriptedWorker(hub, "large")
        small.grant(10)
        large.grant(30)
        calls = [begin(hub) for _ in range(30)]
        await settle()
        assert (len(small.tokens), len(large.tokens)) == (5, 25)
        for call in calls:
            call.cancel()


async def test_workers_with_equal_credit_take_turns():
    async with supervised() as (hub, _):
        workers = [ScriptedWorker(hub, f"w{number}") for number in range(4)]
        for worker in workers:
            worker.grant(100)
        calls = [begin(hub) for _ in range(40)]
        await settle()
        assert [len(worker.tokens) for worker in workers] == [10] * 4
        for call in calls:
            call.cancel()


async def test_a_worker_with_several_functions_serves_the_call_that_waited_longest():
    async with supervised() as (hub, _):
        worker = ScriptedWorker(hub, "w", "f", "g")
        calls = [begin(hub, function=name) for name in "ggffg"]
        await settle()
        worker.grant(4)
        assert [each.work.function.name for each in worker.got(Assignment)] == list("ggff")
        for call in calls:
            call.cancel()


async def test_a_call_goes_only_to_who_hosts_the_function_as_that_kind():
    async with supervised() as (hub, _):
        other = ScriptedWorker(hub, "other", "g")
        evaluator = ScriptedWorker(hub, "evaluator", "f", kind="EVALUATOR")
        other.grant(5)
        evaluator.grant(5)
        call = begin(hub)
        await settle()
        assert other.tokens == evaluator.tokens == []
        call.cancel()


async def test_a_function_cannot_be_two_kinds():
    async with supervised() as (hub, _):
        first = ScriptedWorker(hub, "first")
        with pytest.raises(RequestError) as refused:
            ScriptedWorker(hub, "second", kind="EVALUATOR")
        assert refused.value.reason is Reason.FUNCTION_KIND_CONFLICT
        assert refused.value.metadata == {"function": "f", "kinds": "EVALUATOR,TASK"}
        first.cut()
        ScriptedWorker(hub, "second", kind="EVALUATOR")


async def test_a_call_that_is_given_up_is_cancelled_at_the_worker_and_its_report_ignored():
    async with supervised() as (hub, _):
        worker = ScriptedWorker(hub, max_in_flight=1)
        worker.grant(2)
        first, second = begin(hub), begin(hub)
        await settle()
        (token,) = worker.tokens
        first.cancel()
        await settle()
        assert [cancel.token for cancel in worker.got(Cancellation)] == [token]
        worker.report(token)
        assert worker.acks == [(token, True)]
        assert len(worker.tokens) == 2, "its place goes to the next"
        second.cancel()


async def test_a_call_that_is_given_up_while_it_waits_is_never_assigned():
    async with supervised() as (hub, _):
        worker = ScriptedWorker(hub)
        call = begin(hub)
        await settle()
        call.cancel()
        await settle()
        worker.grant(1)
        assert worker.tokens == []


async def test_a_call_that_is_given_up_as_it_is_assigned_does_not_stay_behind():
    async with supervised() as (hub, _):
        worker = ScriptedWorker(hub)
        call = begin(hub)
        await settle()
        worker.grant(1)
        call.cancel()
        await settle()
        (token,) = worker.tokens
        assert [cancel.token for cancel in worker.got(Cancellation)] == [token]
        assert worker.session.worker.leases == {}


async def test_what_is_handed_back_goes_first_to_another_worker_under_a_new_token_as_the_same_attempt():
    async with supervised() as (hub, _):
        first, second = ScriptedWorker(hub, "first"), ScriptedWorker(hub, "second")
        first.grant(1)
        call = begin(hub, attempt=2)
        later = begin(hub)
        await settle()
        (token,) = first.tokens
        first.report(token, HandedBack("draining"))
        assert first.acks == [(token, False)]
        await settle()
        second.grant(1)
        (assignment,) = second.got(Assignment)
        assert assignment.token != token
        assert assignment.work.attempt == 2
        second.report(assignment.token)
        assert await outcome(call) == answered("done")
        later.cancel()


async def test_workers_that_always_hand_back_do_not_keep_a_call_for_ever():
    async with supervised() as (hub, _):
        worker = ScriptedWorker(hub)
        call = begin(hub)
        for _ in range(1000):
            await settle()
            if call.done():
                break
            worker.grant(1)
            worker.report(worker.tokens[-1], HandedBack("no"))
        with pytest.raises(WorkerLostError):
            await outcome(call)


async def test_a_draining_worker_gets_nothing_new_and_finishes_what_it_has():
    async with supervised() as (hub, _):
        worker = ScriptedWorker(hub)
        worker.grant(10)
        call = begin(hub)
        await settle()
        hub.suspend(worker.session)
        later = begin(hub)
        await settle()
        worker.grant(10)
        assert len(worker.tokens) == 1
        worker.report(worker.tokens[0])
        assert await outcome(call) == answered("done")
        later.cancel()
