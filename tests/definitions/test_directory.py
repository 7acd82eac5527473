"""Definitions as files in a directory: read, read again, broken, gone."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from evalrpc_server.definitions.directory import Definitions, DefinitionsError
from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.domain.errors import InvalidRequestError, NotFoundError, Violation
from evalrpc_server.domain.reasons import Reason
from tests.runner.world import ManualClock


async def check(members: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    if "wrong" in members:
        raise InvalidRequestError([Violation("wrong", "is wrong"), Violation("more", "too")])
    return members


def directory(path: Path) -> Definitions:
    return Definitions(path, check, ManualClock())


def write(path: Path, text: str, *, at: int) -> None:
    """Writes a file with a time of its own, as two changes within one tick of the clock cannot be told apart."""
    path.write_text(text)
    os.utime(path, (at, at))


async def test_each_file_is_a_definition_by_its_name(tmp_path):
    write(tmp_path / "b.yaml", "task: {http: {url: u}}", at=1000)
    write(tmp_path / "a.yml", "langfuse_dataset: {version: 2026-01-02T03:04:05Z}\n1: x", at=2000)
    write(tmp_path / "c.json", '{"max_concurrency": 3}', at=3000)
    for other in ("notes.txt", ".hidden.yaml", "d.yaml.bak"):
        write(tmp_path / other, "x", at=1)
    definitions = directory(tmp_path)
    found = await definitions.list()
    assert [each.name for each in found] == ["a", "b", "c"]
    assert [each.problem for each in found] == ["", "", ""]
    assert [each.fields for each in found] == [
        {"langfuse_dataset": {"version": "2026-01-02T03:04:05+00:00"}, "1": "x"},
        {"task": {"http": {"url": "u"}}},
        {"max_concurrency": 3},
    ]
    assert (await definitions.get("c")).update_time.timestamp() == 3000


async def test_a_broken_file_is_reported_and_its_last_good_version_stays(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    definitions = directory(tmp_path)
    write(tmp_path / "a.yaml", "description: good", at=1)
    write(tmp_path / "b.yaml", "wrong: 1", at=1)
    assert (await definitions.get("a")).problem == ""
    broken = await definitions.get("b")
    assert (broken.fields, broken.problem) == (None, "wrong: is wrong; more: too")
    write(tmp_path / "a.yaml", "description: sk-secret: [", at=2)
    kept = await definitions.get("a")
    assert kept.fields == {"description": "good"}
    assert kept.problem.startswith("it is not YAML at line 1, column ")
    write(tmp_path / "a.yaml", "description: better", at=3)
    mended = await definitions.get("a")
    assert (mended.fields, mended.problem) == ({"description": "better"}, "")
    told = [record.getMessage() for record in caplog.records]
    assert told == [
        "a definition cannot be used",
        "a definition cannot be used; its last good version stays",
        "read a definition again",
    ]
    assert "secret" not in "".join(str(vars(record)) for record in caplog.records)


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("a.yaml", "- x", "must hold the members"),
        ("a.yaml", "", "must hold the members"),
        ("a.yaml", "a: !!python/object/apply:os.system [ls]", "not YAML"),
        ("a.yaml", "\x00", "not YAML"),
        ("a.yaml", "a: " + "[" * 2000, "not YAML"),
        ("a.yaml", "a: " + "[" * 150 + "]" * 150, "nested deeper"),
        ("a.yaml", "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
            f"{b}: &{b} [" + ", ".join([f"*{a}"] * 10) + "]\n" for a, b in ("ab", "bc", "cd", "de", "ef")
        ), "more than 100000 values"),
        ("-a.yaml", "a: 1", "rename the file"),
        ("a b.yaml", "a: 1", "rename the file"),
        ("a.yaml", "a: " + "x" * 2**20, "larger than"),
    ],
)  # fmt: skip
async def test_a_file_that_is_no_definition_is_told(tmp_path, name, text, problem):
    write(tmp_path / name, text, at=1)
    (found,) = await directory(tmp_path).list()
    assert found.fields is None
    assert problem in found.problem


async def test_two_files_of_one_name_are_a_problem_until_one_is_gone(tmp_path):
    write(tmp_path / "a.yaml", "description: x", at=1)
    write(tmp_path / "a.yml", "description: y", at=1)
    definitions = directory(tmp_path)
    assert "two files" in (await definitions.get("a")).problem
    (tmp_path / "a.yaml").unlink()
    assert (await definitions.get("a")).fields == {"description": "y"}
    (tmp_path / "a.yml").unlink()
    with pytest.raises(NotFoundError) as raised:
        await definitions.get("a")
    assert raised.value.reason is Reason.DEFINITION_NOT_FOUND


async def test_the_directory_is_watched(tmp_path, caplog):
    clock = ManualClock()
    definitions = Definitions(tmp_path, check, clock)
    write(tmp_path / "a.yaml", "description: x", at=1)
    caplog.set_level(logging.INFO)
    async with definitions.watched():
        await clock.sleepers(1)
        (tmp_path / "a.yaml").unlink()
        clock.advance(60)
        await clock.sleepers(1)
    assert [record.getMessage() for record in caplog.records] == ["a definition is gone"]


async def test_a_directory_that_is_none_ends_the_start_and_one_that_goes_later_does_not(tmp_path):
    with pytest.raises(DefinitionsError, match="No such file"):
        async with directory(tmp_path / "none").watched():
            pass
    write(tmp_path / "a.yaml", "description: x", at=1)
    definitions = directory(tmp_path)
    async with definitions.watched():
        (tmp_path / "a.yaml").unlink()
        tmp_path.rmdir()
        assert [each.name for each in await definitions.list()] == ["a"]


async def test_without_a_directory_there_are_none():
    definitions = Definitions(None, check, ManualClock())
    async with definitions.watched():
        assert await definitions.list() == []


async def test_a_caller_that_leaves_while_a_file_is_read_costs_no_definition(tmp_path):
    reading, leave = asyncio.Event(), True

    async def slow(members: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
        reading.set()
        if leave:
            await asyncio.Event().wait()
        return members

    definitions = Definitions(tmp_path, slow, ManualClock())
    write(tmp_path / "a.yaml", "description: good", at=1)
    caller = asyncio.create_task(definitions.list())
    async with asyncio.timeout(30):
        await reading.wait()
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    leave = False
    assert [each.name for each in await definitions.list()] == ["a"]
    (tmp_path / "a.yaml").unlink()
    assert await definitions.list() == []
