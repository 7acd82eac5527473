"""Experiments that were accepted without asking the outside system that they need."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from evalrpc_server.domain.errors import NotFoundError, UnavailableError
from evalrpc_server.domain.experiments import Experiment, State
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.runner.settling import PATIENCE_SECONDS
from tests.runner.world import World, echo, items, new_experiment, results, world


def outage() -> UnavailableError:
    return UnavailableError(Reason.LANGFUSE_UNAVAILABLE, "Langfuse does not answer", retry_after=5.0)


async def start(made: World) -> Experiment:
    return await made.manager.start(replace(new_experiment(3), unsettled=True), items=items(3))


async def test_an_experiment_is_settled_before_it_runs_and_stored_as_settled(tmp_path: Path) -> None:
    async with world(tmp_path, echo) as made:

        async def settled(experiment: Experiment) -> Experiment:
            spec = experiment.spec.model_copy(update={"description": "settled"})
            return replace(experiment, spec=spec)

        made.settled = settled  # type: ignore[method-assign]
        assert (await start(made)).unsettled
        assert len(results(await made.events())) == 3
        stored = await made.store.get_experiment("exp_1")
        assert stored is not None
        assert (stored.state, stored.unsettled, stored.spec.description) == (
            State.SUCCEEDED,
            False,
            "settled",
        )


async def test_an_outage_is_waited_out_and_shown(tmp_path: Path) -> None:
    async with world(tmp_path, echo) as made:
        failures = [outage(), outage()]

        async def settled(experiment: Experiment) -> Experiment:
            if failures:
                raise failures.pop()
            return experiment

        made.settled = settled  # type: ignore[method-assign]
        await start(made)
        for _ in range(2):
            assert await made.clock.sleepers(1) == [5.0]
            waiting = (await made.manager.get("exp_1")).waiting
            assert waiting is not None
            assert waiting.reason is Reason.LANGFUSE_UNAVAILABLE
            made.clock.advance(5.0)
        events = await made.events()
        assert len(results(events)) == 3
        assert (await made.manager.get("exp_1")).waiting is None


async def test_an_outage_without_end_and_a_refusal_fail_the_experiment(tmp_path: Path) -> None:
    for number, error in enumerate((outage(), NotFoundError(Reason.DATASET_NOT_FOUND, "no such dataset"))):
        async with world(tmp_path / str(number), echo) as made:

            async def settled(_: Experiment, error: Exception = error) -> Experiment:
                raise error

            made.settled = settled  # type: ignore[method-assign,assignment]
            await start(made)
            if isinstance(error, UnavailableError):
                await made.clock.sleepers(1)
                made.clock.advance(PATIENCE_SECONDS)
            await made.events()
            ended = await made.manager.get("exp_1")
            assert ended.state is State.FAILED
            assert ended.error is not None
            assert ended.error.reason is error.reason


async def test_what_is_unsettled_is_settled_after_a_restart(tmp_path: Path) -> None:
    async with world(tmp_path, echo) as made:

        async def settled(_: Experiment) -> Experiment:
            raise outage()

        made.settled = settled  # type: ignore[method-assign,assignment]
        await start(made)
        await made.clock.sleepers(1)
    async with world(tmp_path, echo) as made:
        await made.manager.recover()
        assert len(results(await made.events())) == 3
