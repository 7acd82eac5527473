"""When a worker may forget what it reported."""

from __future__ import annotations

import pytest

from evalrpc_server.domain.clock import SystemClock
from evalrpc_server.domain.errors import Error, NotFoundError
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.workers.hub import Workers
from evalrpc_server.workers.tokens import TaskTokens
from evalrpc_server.workers.work import Failed
from tests.workers.scripted import (
    EXPERIMENT,
    KEY,
    ScriptedWorker,
    answered,
    begin,
    outcome,
    settle,
    supervised,
)


async def test_a_report_is_acknowledged_when_what_it_belongs_to_is_stored():
    async with supervised() as (hub, _):
        worker = ScriptedWorker(hub)
        worker.grant(3)
        hosting = hub.hosting(EXPERIMENT.id, ())
        calls = [begin(hub, unit=unit) for unit in ("one", "one", "two")]
        await settle()
        for token in worker.tokens:
            worker.report(token)
        for call in calls:
            await outcome(call)
        assert worker.acks == []
        hosting.stored("one")
        assert worker.acks == [(token, False) for token in worker.tokens[:2]]
        hosting.stored("two")
        hosting.stored("two")
        assert [token for token, _ in worker.acks] == worker.tokens


async def test_a_repeated_report_has_no_second_effect_and_is_acknowledged_with_the_first():
    async with supervised() as (hub, _):
        worker = ScriptedWorker(hub)
        worker.grant(1)
        call = begin(hub)
        await settle()
        (token,) = worker.tokens
        worker.report(token, answered("first"))
        worker.cut()
        worker.connect()
        assert worker.beat(token) == []
        worker.report(token, answered("second"))
        assert await outcome(call) == answered("first")
        hub.hosting(EXPERIMENT.id, ()).stored("u")
        assert worker.acks == [(token, False)]
        worker.report(token)
        assert worker.acks == [(token, False)] * 2
        assert worker.session.worker.completed == 0, "the counts are of this connection"


async def test_what_will_not_be_stored_is_acknowledged_as_ignored():
    async with supervised() as (hub, _):
        worker = ScriptedWorker(hub)
        worker.grant(1)
        call = begin(hub)
        await settle()
        worker.report(worker.tokens[0])
        await outcome(call)
        hub.hosting(EXPERIMENT.id, ()).close()
        assert worker.acks == [(worker.tokens[0], True)]


async def test_a_failure_is_counted_and_passed_on():
    async with supervised() as (hub, _):
        worker = ScriptedWorker(hub)
        worker.grant(1)
        call = begin(hub)
        await settle()
        error = Failed(Error(reason=Reason.TASK_FAILED, message="ValueError: no"))
        worker.report(worker.tokens[0], error)
        assert await outcome(call) == error
        assert (worker.session.worker.completed, worker.session.worker.failed) == (0, 1)


async def test_a_token_of_an_earlier_server_is_known_and_a_forged_one_is_not():
    earlier = TaskTokens(KEY).issue()
    forged = TaskTokens(b"another key").issue()
    hub = Workers(KEY, SystemClock())
    acks: list[tuple[str, bool]] = []

    def acknowledge(token: str, *, ignored: bool) -> None:
        acks.append((token, ignored))

    hub.report(earlier, lambda _: answered("x"), acknowledge)
    assert acks == [(earlier, True)]
    for token in (forged, "", "tok_1", "ü", earlier[:-4], earlier + "AAAA"):
        with pytest.raises(NotFoundError) as unknown:
            hub.report(token, lambda _: answered("x"), acknowledge)
        assert unknown.value.reason is Reason.TASK_TOKEN_UNKNOWN
    worker = ScriptedWorker(hub)
    worker.report(forged)
    assert worker.acks == [(forged, True)], "over the stream it is just forgotten"


def test_no_token_is_issued_twice():
    tokens = [TaskTokens(KEY), TaskTokens(KEY)]
    issued = [source.issue() for _ in range(1000) for source in tokens]
    assert len(set(issued)) == 2000
    assert all(tokens[0].issued(token) for token in issued)
