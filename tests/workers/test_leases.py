"""What happens to calls when a worker is silent, gone, or back again."""

from __future__ import annotations

import pytest

from evalrpc_server.domain.reasons import Reason
from evalrpc_server.workers.messages import Cancellation, Farewell
from evalrpc_server.workers.roster import WorkerState
from evalrpc_server.workers.work import WorkerLostError
from tests.workers.scripted import (
    LEASE,
    ScriptedWorker,
    answered,
    begin,
    outcome,
    pass_time,
    settle,
    supervised,
)


async def test_a_silent_worker_loses_its_call_within_the_lease_and_a_second():
    async with supervised() as (hub, clock):
        worker = ScriptedWorker(hub)
        worker.grant(1)
        call = begin(hub)
        await settle()
        await pass_time(clock, LEASE - 0.1)
        assert not call.done()
        await pass_time(clock, 0.4)
        with pytest.raises(WorkerLostError):
            await outcome(call)
        assert worker.session.worker.lost == 1
        worker.report(worker.tokens[0])
        assert (worker.tokens[0], True) in worker.acks or worker.session.worker.session is None


async def test_heartbeats_renew_what_they_list_and_nothing_else():
    async with supervised() as (hub, clock):
        worker = ScriptedWorker(hub)
        worker.grant(2)
        first, second = begin(hub), begin(hub)
        await settle()
        kept, forgotten = worker.tokens
        for _ in range(10):
            await pass_time(clock, LEASE / 3)
            worker.beat(kept)
        assert not first.done()
        with pytest.raises(WorkerLostError):
            await outcome(second)
        assert worker.beat(kept, forgotten) == [forgotten]
        assert forgotten in [cancel.token for cancel in worker.got(Cancellation)]
        first.cancel()


async def test_a_late_report_is_acknowledged_and_ignored():
    async with supervised() as (hub, clock):
        slow, other = ScriptedWorker(hub, "slow"), ScriptedWorker(hub, "other")
        slow.grant(1)
        call = begin(hub)
        await settle()
        (token,) = slow.tokens
        for _ in range(4):
            await pass_time(clock, LEASE / 3)
            slow.beat()
        with pytest.raises(WorkerLostError):
            await outcome(call)
        slow.report(token)
        assert slow.acks == [(token, True)]
        assert other.acks == []


async def test_a_worker_that_sends_no_heartbeat_is_cut_off():
    async with supervised() as (hub, clock):
        worker = ScriptedWorker(hub)
        await pass_time(clock, LEASE / 2)
        worker.beat()
        await pass_time(clock, LEASE - 1)
        assert worker.closed == []
        await pass_time(clock, 1.5)
        error = worker.closed[0]
        assert error is not None
        assert error.reason is Reason.WORKER_UNRESPONSIVE
        assert error.metadata == {"worker_id": "w", "lease_seconds": "15"}
        assert list(hub.list_workers(after="", limit=5)) == []


async def test_a_worker_that_comes_back_under_its_id_keeps_its_calls():
    async with supervised() as (hub, clock):
        worker = ScriptedWorker(hub)
        worker.grant(1)
        call = begin(hub)
        await settle()
        worker.cut()
        (listed,) = hub.list_workers(after="", limit=5)
        assert listed.state is WorkerState.DISCONNECTED
        await pass_time(clock, LEASE - 1)
        worker.connect()
        assert worker.beat(*worker.tokens) == []
        await pass_time(clock, LEASE - 1)
        worker.report(worker.tokens[0])
        assert await outcome(call) == answered("done")


async def test_what_never_reached_a_worker_that_comes_back_goes_to_others_at_once():
    async with supervised() as (hub, _):
        worker, other = ScriptedWorker(hub, "w"), ScriptedWorker(hub, "other")
        worker.grant(2)
        calls = [begin(hub), begin(hub)]
        await settle()
        arrived, missed = worker.tokens
        worker.cut()
        other.grant(2)
        worker.connect()
        worker.beat(arrived)
        await settle()
        assert len(other.tokens) == 1
        assert worker.beat(missed) == [missed]
        other.report(other.tokens[0])
        worker.report(arrived)
        assert [await outcome(call) for call in calls] == [answered("done")] * 2


async def test_the_newest_stream_of_a_worker_counts():
    async with supervised() as (hub, _):
        worker = ScriptedWorker(hub)
        old = worker.session
        worker.grant(5)
        worker.connect()
        assert worker.got(Farewell)
        assert worker.closed == [None]
        hub.grant(old, 5)
        call = begin(hub)
        await settle()
        assert worker.tokens == [], "credit is the stream's"
        hub.disconnect(old)
        worker.grant(1)
        assert len(worker.tokens) == 1
        call.cancel()


async def test_goodbye_gives_calls_to_others_at_once():
    async with supervised() as (hub, _):
        worker = ScriptedWorker(hub)
        worker.grant(1)
        call = begin(hub)
        await settle()
        hub.disconnect(worker.session, for_good=True)
        with pytest.raises(WorkerLostError):
            await outcome(call)
        assert list(hub.list_workers(after="", limit=5)) == []


async def test_the_list_shows_who_does_what_and_how_much():
    async with supervised() as (hub, clock):
        first, second = ScriptedWorker(hub, "b", "f"), ScriptedWorker(hub, "a", "g", max_in_flight=7)
        first.grant(3)
        calls = [begin(hub) for _ in range(3)]
        await settle()
        first.report(first.tokens[0])
        await pass_time(clock, 2)
        first.beat(*first.tokens[1:])
        hub.suspend(second.session)
        a, b = hub.list_workers(after="", limit=5)
        assert (a.id, a.state, a.introduction.max_in_flight) == ("a", WorkerState.DRAINING, 7)
        assert (b.id, b.state, len(b.leases), b.completed) == ("b", WorkerState.CONNECTED, 2, 1)
        assert (b.heartbeat_time - b.connect_time).total_seconds() == 2
        assert [each.id for each in hub.list_workers(after="a", limit=5)] == ["b"]
        assert [each.id for each in hub.list_workers(after="", limit=5, function="g")] == ["a"]
        for call in calls:
            call.cancel()


async def test_shutting_down_tells_everybody_and_ends_the_streams():
    async with supervised() as (hub, _):
        worker = ScriptedWorker(hub)
        hub.drain(20)
        hub.close()
        assert [type(message).__name__ for message in worker.sent] == ["DrainNotice", "Farewell"]
        assert worker.closed == [None]
