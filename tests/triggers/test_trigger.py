"""What webhooks start: once each, under names of their own, after a restart too."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from evalrpc_server.definitions.directory import Definitions
from evalrpc_server.domain.errors import InvalidRequestError, NotFoundError
from evalrpc_server.protobuf.fields import FIELD_NAMES, spec_fields, spec_from_fields
from evalrpc_server.runner.acceptance import Acceptance
from evalrpc_server.triggers.definition_check import DefinitionCheck
from evalrpc_server.triggers.planning import SpecNames
from evalrpc_server.triggers.trigger import REPEAT_SECONDS, Trigger, TriggerSettings
from tests.http.triggering import body_of
from tests.runner.world import World, echo, world

NAMES = SpecNames(members=FIELD_NAMES, read=spec_fields)
PAYLOAD = {"task": {"http": {"url": "http://127.0.0.1:9/"}}}


class Triggers:
    """A trigger in a world, over a directory of definitions."""

    def __init__(self, made: World, directory: Path, default: str = "") -> None:
        acceptance = Acceptance(made.store, made.clock, seal=lambda value: f"${{sealed:{value[::-1]}}}")
        check = DefinitionCheck(NAMES, spec_from_fields)
        self.made = made
        self.directory = directory
        self.definitions = Definitions(directory, check, made.clock)
        self.trigger = Trigger(
            settings=TriggerSettings(default_definition=default, ragflow_url="http://ragflow.example"),
            definitions=self.definitions,
            names=NAMES,
            read_spec=spec_from_fields,
            project_name=lambda project_id: f"name-of-{project_id}",
            acceptance=acceptance,
            manager=made.manager,
            clock=made.clock,
        )

    def define(self, name: str, **fields: Any) -> None:
        (self.directory / f"{name}.yaml").write_text(json.dumps(fields))


@asynccontextmanager
async def triggers(directory: Path, default: str = "") -> AsyncIterator[Triggers]:
    definitions = directory / "definitions"
    definitions.mkdir(exist_ok=True)
    async with world(directory / "data", echo) as made:

        async def never(_: Any) -> Any:
            await asyncio.Event().wait()

        made.settled = never  # type: ignore[method-assign,assignment]
        yield Triggers(made, definitions, default)


async def test_the_same_webhook_is_a_repeat_for_a_minute_also_after_a_restart(tmp_path: Path) -> None:
    async with triggers(tmp_path) as made:
        first, second = await asyncio.gather(
            made.trigger.start(body_of(PAYLOAD)), made.trigger.start(body_of(PAYLOAD))
        )
        assert first.experiment.id == second.experiment.id
        assert {first.repeated, second.repeated} == {False, True}
        other = await made.trigger.start(body_of(PAYLOAD | {"description": "other"}))
        assert other.experiment.id != first.experiment.id
        made.made.clock.advance(REPEAT_SECONDS - 1)
        assert (await made.trigger.start(body_of(PAYLOAD))).repeated
    async with triggers(tmp_path) as made:
        made.made.clock.advance(REPEAT_SECONDS - 1)
        assert (await made.trigger.start(body_of(PAYLOAD))).experiment.id == first.experiment.id
        made.made.clock.advance(1)
        later = await made.trigger.start(body_of(PAYLOAD))
        assert not later.repeated
        assert later.experiment.id != first.experiment.id
        assert later.experiment.spec.run_name != first.experiment.spec.run_name


async def test_a_signature_starts_one_experiment_only(tmp_path: Path) -> None:
    async with triggers(tmp_path) as made:
        first = await made.trigger.start(body_of(PAYLOAD), signature="t=1,v1=a")
        made.made.clock.advance(300)
        again = await made.trigger.start(body_of(PAYLOAD), signature="t=1,v1=a")
        assert (again.repeated, again.experiment.id) == (True, first.experiment.id)
        assert not (await made.trigger.start(body_of(PAYLOAD), signature="t=300,v1=b")).repeated
    async with triggers(tmp_path) as made:
        made.made.clock.advance(300)
        again = await made.trigger.start(body_of(PAYLOAD), signature="t=1,v1=a")
        assert (again.repeated, again.experiment.id) == (True, first.experiment.id)


async def test_what_is_started_is_stored_as_it_will_run(tmp_path: Path) -> None:
    async with triggers(tmp_path) as made:
        payload = {**PAYLOAD, "runName": "mine", "metadata": {"model": "m"}}
        payload["task"] = {"http": {"url": "http://127.0.0.1:9/", "headers": {"x-api-key": "abc"}}}
        experiment = (await made.trigger.start(body_of(payload))).experiment
        spec = experiment.spec
        assert experiment.unsettled
        assert (spec.name, spec.run_name) == ("capitals", "mine - 2026-01-01T00:00:00.000000Z")
        assert spec.langfuse_dataset is not None
        assert spec.langfuse_dataset.name == "capitals"
        assert spec.langfuse_project == "name-of-project-one"
        assert spec.task.http is not None
        assert spec.task.http.headers == {"x-api-key": "${sealed:cba}"}
        assert await made.made.store.get_experiment(experiment.id) == experiment


async def test_a_definition_is_started_by_address_or_by_payload(tmp_path: Path) -> None:
    async with triggers(tmp_path, default="defaults") as made:
        made.define("defaults", evaluators=[{"name": "size", "builtin": {"name": "length"}}])
        made.define("nightly", **PAYLOAD, max_concurrency=4)
        by_address = await made.trigger.start(body_of(""), definition="nightly")
        by_payload = await made.trigger.start(body_of({"definition": "nightly", "max_concurrency": 2}))
        for number, started in ((4, by_address), (2, by_payload)):
            spec = started.experiment.spec
            assert (spec.name, spec.max_concurrency) == ("nightly", number)
            assert [evaluator.name for evaluator in spec.evaluators] == ["size"]
        with pytest.raises(NotFoundError):
            await made.trigger.start(body_of(""), definition="none")
        for payload in ({"definition": "none"}, {"definition": 5}):
            with pytest.raises(InvalidRequestError) as raised:
                await made.trigger.start(body_of(payload))
            assert [each.path for each in raised.value.violations] == ["payload.definition"]
        with pytest.raises(InvalidRequestError, match="must be nightly"):
            await made.trigger.start(body_of({"definition": "other"}), definition="nightly")


async def test_a_missing_default_is_told_by_its_flag(tmp_path: Path) -> None:
    async with triggers(tmp_path, default="none") as made:
        with pytest.raises(InvalidRequestError, match="--webhook-definition"):
            await made.trigger.start(body_of(PAYLOAD))


async def test_all_that_is_wrong_with_a_spec_is_told(tmp_path: Path) -> None:
    async with triggers(tmp_path) as made:
        payload = {"task": {"http": {"url": "nowhere"}}, "repetitions": -1, "name": "x" * 300}
        with pytest.raises(InvalidRequestError) as raised:
            await made.trigger.start(body_of(payload))
        assert {each.path for each in raised.value.violations} == {
            "payload.task.http.url",
            "payload.repetitions",
        }
        unknown = {**PAYLOAD, "evaluators": [{"builtin": {"name": "none"}}, {"registered": "missing"}]}
        with pytest.raises(InvalidRequestError) as raised:
            await made.trigger.start(body_of(unknown))
        assert {each.path for each in raised.value.violations} == {
            "payload.evaluators[0].builtin.name",
            "payload.evaluators[1].registered",
        }


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"evaluators": [{"registered": "later"}]}, ""),
        (PAYLOAD, ""),
        ({"langfuse_dataset": {"limit": 3}}, ""),
        ({"upload": "u"}, "upload: is not for definitions"),
        ({"items": {"items": []}}, "items: is not for definitions"),
        ({"evaluators": [{"builtin": {"name": "none"}}]}, "evaluators[0].builtin.name: "),
        ({"task": {"http": {"url": "nowhere"}}}, "task.http.url: "),
        ({"repetitions": 0.5}, "repetitions: "),
        ({"task": {"http": {"url": "http://a", "headers": {"x": "${sealed:abc}"}}}}, "sealed value"),
    ],
)
async def test_a_definition_is_checked_when_it_is_read(
    tmp_path: Path, fields: dict[str, Any], problem: str
) -> None:
    async with triggers(tmp_path) as made:
        made.define("a", **fields)
        found = await made.definitions.get("a")
        assert bool(found.problem) == bool(problem)
        assert problem in found.problem
