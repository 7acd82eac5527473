"""What every store does with records on their way to Langfuse."""

from __future__ import annotations

from msgspec.structs import replace

from evalrpc_server.domain.scores import Delivered
from evalrpc_server.store.port import OutboxCounts, RecordState, Store
from tests.store.builders import advance, create, make_record


class OutboxContract:
    async def test_records_are_stored_with_their_commit_and_read_oldest_first(self, store: Store):
        experiment = await create(store)
        records = [make_record(f"r{number}") for number in range(5)]
        await store.commit(advance(experiment, [experiment], outbox=records))
        queued = await store.read_outbox("main", "score", limit=10)
        assert [entry.record for entry in queued] == records
        assert [entry.position for entry in queued] == sorted({entry.position for entry in queued})
        rest = await store.read_outbox("main", "score", after=queued[1].position, limit=2)
        assert [entry.record.id for entry in rest] == ["r2", "r3"]
        assert await store.outbox_counts("e1") == OutboxCounts(queued=5)

    async def test_a_record_is_stored_once_whatever_became_of_it(self, store: Store):
        experiment = await create(store)
        commit = advance(
            experiment, [experiment], outbox=[make_record("a"), make_record("a"), make_record("b")]
        )
        await store.commit(commit)
        (first, _) = await store.read_outbox("main", "score", limit=10)
        await store.settle_outbox(accepted=[first.position])
        again = advance(commit.experiment, [experiment], outbox=[make_record("a"), make_record("b")])
        await store.commit(again)
        assert [entry.record.id for entry in await store.read_outbox("main", "score", limit=10)] == ["b"]
        assert await store.outbox_counts("e1") == OutboxCounts(queued=1, accepted=1)

    async def test_projects_and_experiments_do_not_mix(self, store: Store):
        first, second = await create(store, "e1"), await create(store, "e2")
        await store.commit(
            advance(first, [first], outbox=[make_record("a"), make_record("b", project="other")])
        )
        await store.commit(advance(second, [second], outbox=[make_record("c", "e2")]))
        assert [entry.record.id for entry in await store.read_outbox("main", "score", limit=10)] == ["a", "c"]
        assert [entry.record.id for entry in await store.read_outbox("other", "score", limit=10)] == ["b"]
        assert (await store.outbox_counts("e1")).queued == 2
        assert (await store.outbox_counts("e2")).queued == 1
        assert await store.outbox_counts("none") == OutboxCounts()

    async def test_settled_records_are_counted_once_and_leave_the_queue(self, store: Store):
        experiment = await create(store)
        records = [make_record(f"r{number}") for number in range(1200)]
        await store.commit(advance(experiment, [experiment], outbox=records))
        positions = [entry.position for entry in await store.read_outbox("main", "score", limit=2000)]
        await store.settle_outbox(
            accepted=positions[:1100], rejected={positions[1150]: "score is not a number"}
        )
        await store.settle_outbox(
            accepted=positions[:10], rejected={positions[0]: "late", positions[1150]: "again"}
        )
        await store.settle_outbox(accepted=[positions[1150], 10**9])
        assert await store.outbox_counts("e1") == OutboxCounts(
            queued=99, accepted=1100, rejected=1, last_error="score is not a number"
        )
        states = await store.outbox_states(["r0", "r1150", "r1199", "never", *(f"r{n}" for n in range(1200))])
        assert states["r0"] == RecordState(Delivered.ACCEPTED)
        assert states["r1150"] == RecordState(Delivered.REJECTED, "score is not a number")
        assert states["r1199"] == RecordState(Delivered.QUEUED)
        assert len(states) == 1200
        assert await store.outbox_states([]) == {}
        left = [entry.position for entry in await store.read_outbox("main", "score", limit=2000)]
        assert left == [*positions[1100:1150], *positions[1151:]]

    async def test_pages_are_bounded_by_text_and_hold_at_least_one(self, store: Store):
        experiment = await create(store)
        records = [make_record(f"r{number}", size=1000) for number in range(6)]
        await store.commit(advance(experiment, [experiment], outbox=records))
        assert len(await store.read_outbox("main", "score", limit=10, characters=10)) == 1
        assert len(await store.read_outbox("main", "score", limit=10, characters=3500)) == 3
        assert list(await store.read_outbox("none", "score", limit=10)) == []

    async def test_each_kind_is_read_on_its_own(self, store: Store):
        experiment = await create(store)
        records = [make_record(f"r{number}", kind="score" if number % 3 else "trace") for number in range(6)]
        await store.commit(advance(experiment, [experiment], outbox=records))
        traces = await store.read_outbox("main", "trace", limit=10)
        assert [entry.record.id for entry in traces] == ["r0", "r3"]
        behind = await store.read_outbox("main", "score", after=traces[1].position, limit=10)
        assert [entry.record.id for entry in behind] == ["r4", "r5"]

    async def test_its_end_is_the_newest_record_settled_or_not(self, store: Store):
        assert await store.outbox_end() == 0
        await store.add_outbox([make_record("a", ""), make_record("b", "")])
        first, second = await store.read_outbox("main", "score", limit=10)
        await store.settle_outbox(accepted=[second.position])
        assert await store.outbox_end() == second.position > first.position

    async def test_records_can_come_without_a_change_to_an_experiment(self, store: Store):
        await store.add_outbox([make_record("a", ""), make_record("b", "")])
        await store.add_outbox([make_record("a", "")])
        assert [entry.record.id for entry in await store.read_outbox("main", "score", limit=10)] == ["a", "b"]
        assert await store.outbox_counts("") == OutboxCounts(queued=2)

    async def test_a_record_may_stand_for_several_and_be_split_into_them(self, store: Store):
        experiment = await create(store)
        records = [
            make_record("single"),
            replace(make_record("three"), records=3),
            replace(make_record("two"), records=2),
        ]
        await store.commit(advance(experiment, [experiment], outbox=records))
        assert await store.outbox_counts("e1") == OutboxCounts(queued=6)
        single, three, two = await store.read_outbox("main", "score", limit=10)
        assert [entry.record for entry in (single, three, two)] == records
        parts = [make_record(f"part-{number}") for number in range(3)]
        await store.split_outbox(three.position, parts)
        await store.split_outbox(three.position, parts)
        assert await store.outbox_counts("e1") == OutboxCounts(queued=6)
        behind = await store.read_outbox("main", "score", after=two.position, limit=10)
        assert [entry.record for entry in behind] == parts
        await store.settle_outbox(
            accepted=[single.position, two.position, behind[0].position], rejected={behind[1].position: "no"}
        )
        await store.split_outbox(two.position, parts)
        assert await store.outbox_counts("e1") == OutboxCounts(
            queued=1, accepted=4, rejected=1, last_error="no"
        )
        again = [replace(make_record("two"), records=2), replace(make_record("new"), records=4)]
        await store.add_outbox(again)
        assert (await store.outbox_counts("e1")).queued == 5
