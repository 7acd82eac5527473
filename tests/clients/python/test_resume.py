"""Streams that break: each event arrives once, whatever happens to the connection or to the server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import pytest

from evalrpc import (
    EvalrpcError,
    Event,
    ExperimentState,
    InternalError,
    OutOfRangeError,
    ServerUnreachableError,
    UnavailableError,
    WatchInterruptedError,
)
from tests.clients.python.application import Application
from tests.clients.python.conftest import Connect
from tests.clients.python.scripted import (
    ID,
    Scripted,
    checkpoint,
    cut,
    of_unknown_kind,
    refuse,
    result,
    state,
)
from tests.clients.python.wire import wire
from tests.servers import Server, serving

ITEMS = 40


def whole(events: list[Event]) -> bool:
    """Tells whether these are all events of a run, each once and in order."""
    return [event.sequence for event in events] == list(range(1, len(events) + 1)) and (
        events[-1].experiment is not None and events[-1].experiment.state is ExperimentState.SUCCEEDED
    )


def spec(app: Application) -> dict[str, Any]:
    """Returns the arguments of a run whose first half completes at once and whose second waits for the gate."""
    data = [{"input": f"{'now' if index < ITEMS // 2 else 'later'}-{index}"} for index in range(ITEMS)]
    return {"name": "cut", "data": data, "task": app.gated, "max_concurrency": ITEMS}


def test_a_wire_cut_again_and_again_loses_nothing(connect: Connect, server: Server, app: Application) -> None:
    with wire(server.grpc) as line:
        events = []
        for event in connect(line.address).run(**spec(app)):
            events.append(event)
            if event.sequence % 8 == 0:
                line.cut()
            if event.sequence == ITEMS // 2:
                app.gate.set()
        assert whole(events)
        assert sorted(each.item_result.item.index for each in events if each.item_result) == list(
            range(ITEMS)
        )
        assert line.cuts >= ITEMS // 8


def test_a_killed_server_is_found_again(connect: Connect, app: Application, tmp_path: Path) -> None:
    with serving(tmp_path) as first, wire(first.grpc) as line:
        run = connect(line.address).run(**spec(app))
        events = []
        for event in run:
            events.append(event)
            if event.sequence == ITEMS // 2:
                break
        first.program.process.kill()
        first.program.wait()
        with serving(tmp_path) as second:
            line.target = second.grpc
            app.gate.set()
            events += list(run)
            assert whole(events)
            outputs = [each.item_result.output for each in events if each.item_result]
            assert len(outputs) == len(set(outputs)) == ITEMS
            assert len(run.result().item_results) == ITEMS


def test_a_connection_that_hangs_is_left(connect: Connect, server: Server, app: Application) -> None:
    with wire(server.grpc) as line:
        events = []
        for event in connect(line.address).run(**spec(app)):
            events.append(event)
            if event.sequence == ITEMS // 2:
                line.freeze()
                app.gate.set()
        assert whole(events)


def test_a_start_cut_before_its_answer_is_repeated_under_the_same_id(
    connect: Connect, script: Scripted
) -> None:
    script.scripts = [[cut()], [cut()], [state(1, "PENDING"), state(2, "SUCCEEDED")]]
    assert whole(list(connect(script.address).run(name="x", data=[{"input": 1}], task="http://x")))
    assert len(script.runs) == 3
    assert len({request.request_id for request in script.runs}) == 1
    assert script.runs[0].request_id
    assert all(len(request.experiment.items.items) == 1 for request in script.runs)


def test_a_cut_stream_goes_on_behind_the_last_event(connect: Connect, script: Scripted) -> None:
    script.scripts = [
        [state(1, "RUNNING"), result(2, 0), cut()],
        [cut()],
        [result(3, 1), cut(grpc.StatusCode.INTERNAL)],
        [result(4, 2), cut(grpc.StatusCode.CANCELLED)],
        [result(5, 3)],  # and an end that comes too early
        [result(6, 4), refuse(grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_RPCS", retry_after=0.01)],
        [state(7, "SUCCEEDED")],
    ]
    events = list(connect(script.address).run(name="x", data=[{"input": 1}], task="http://x"))
    assert whole(events)
    assert [each.item_result.output for each in events if each.item_result] == [0, 1, 2, 3, 4]
    assert [(each.id, each.after_sequence) for each in script.watches] == [
        (ID, 2), (ID, 2), (ID, 3), (ID, 4), (ID, 5), (ID, 6),
    ]  # fmt: skip


def test_repeats_are_passed_over_and_gaps_filled(connect: Connect, script: Scripted) -> None:
    script.scripts = [
        [state(1, "RUNNING"), result(2, 0), result(2, 0), result(4, 2)],
        [result(1, 0), result(3, 1), result(4, 2), state(5, "SUCCEEDED")],
    ]
    assert whole(list(connect(script.address).watch(ID)))
    assert [each.after_sequence for each in script.watches] == [0, 2]


def test_events_of_an_unknown_kind_are_passed_over(connect: Connect, script: Scripted) -> None:
    script.scripts = [[state(1, "RUNNING"), of_unknown_kind(2), cut()], [result(3, 0), state(4, "SUCCEEDED")]]
    events = list(connect(script.address).watch(ID))
    assert [event.sequence for event in events] == [1, 3, 4]
    assert script.watches[1].after_sequence == 2


def test_checkpoints_are_kept_from_the_caller(connect: Connect, script: Scripted) -> None:
    script.scripts = [
        [checkpoint(0), state(1, "RUNNING"), checkpoint(1), checkpoint(1, draining=True)],
        [checkpoint(1), state(2, "SUCCEEDED")],
    ]
    assert whole(list(connect(script.address).watch(ID)))


def test_patience_ends(connect: Connect, script: Scripted) -> None:
    script.scripts = [[state(1, "RUNNING"), result(2, 0), cut()]]
    script.scripts += [[cut()] for _ in range(100)]
    run = connect(script.address).watch(ID, patience=0.5)
    with pytest.raises(WatchInterruptedError) as caught:
        list(run)
    assert caught.value.metadata == {"experiment_id": ID, "after_sequence": "2"}
    script.scripts = [[state(3, "SUCCEEDED")]]
    assert [event.sequence for event in run] == [3]  # iterating again goes on


def test_no_patience_is_no_resuming(connect: Connect, script: Scripted) -> None:
    script.scripts = [[state(1, "RUNNING"), checkpoint(1, draining=True), cut()]]
    with pytest.raises(WatchInterruptedError):
        list(connect(script.address).watch(ID, patience=0))
    assert len(script.watches) == 1


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (grpc.StatusCode.OUT_OF_RANGE, "EVENT_LOG_TRIMMED", OutOfRangeError),
        (grpc.StatusCode.INTERNAL, "INTERNAL", InternalError),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "STORE_FULL", EvalrpcError),
    ],
)
def test_what_does_not_pass_is_raised_at_once(
    connect: Connect, script: Scripted, code: grpc.StatusCode, reason: str, kind: type[EvalrpcError]
) -> None:
    script.scripts = [[state(1, "RUNNING"), refuse(code, reason)]]
    with pytest.raises(kind) as caught:
        list(connect(script.address).watch(ID))
    assert caught.value.reason == reason
    assert len(script.watches) == 1


def test_a_server_that_drains_for_too_long_is_unavailable(connect: Connect, script: Scripted) -> None:
    script.scripts = [[refuse(grpc.StatusCode.UNAVAILABLE, "DRAINING", retry_after=30)]]
    with pytest.raises(UnavailableError) as caught:
        list(connect(script.address).run(name="x", data=[{"input": 1}], task="http://x", patience=1))
    assert (caught.value.reason, caught.value.retry_after) == ("DRAINING", 30)


def test_an_address_where_nothing_listens_is_told_soon(connect: Connect) -> None:
    with pytest.raises(ServerUnreachableError) as caught:
        list(connect("127.0.0.1:1").run(name="x", data=[{"input": 1}], task="http://x"))
    assert "127.0.0.1:1" in caught.value.message
    assert "evalrpc-server serve --listen 127.0.0.1:1" in caught.value.message


def test_a_server_that_goes_away_for_good_is_given_up(
    connect: Connect, server: Server, app: Application
) -> None:
    with wire(server.grpc) as line:
        run = connect(line.address).run(**spec(app), patience=1)
        next(iter(run))
        line.target = "127.0.0.1:1"
        line.cut()
        with pytest.raises(WatchInterruptedError) as caught:
            list(run)
        assert caught.value.metadata["experiment_id"] == run.experiment_id
