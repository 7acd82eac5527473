"""What evalrpc writes beside what Langfuse's SDKs write for the same experiment: one form for both, and the differences.

The records have the form of `tests.standins.langfuse.records`. `python -m tests.langfuse.comparison` writes anew what evalrpc
writes (`observed/`), and the tables of `server/docs/langfuse.md`; tests hold both.
"""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.langfuse.capitals import capitals
from tests.langfuse.recording import observe
from tests.standins.clients import run
from tests.standins.langfuse import LangfuseStandIn, Settings
from tests.standins.langfuse.records import normalise
from tests.standins.langfuse.settings import Mode

OBSERVED = Path(__file__).parent / "observed"
SOURCES = ("local", "hosted")
MODES: tuple[Mode, ...] = ("events_only", "dual", "legacy")

METADATA = "langfuse.observation.metadata"
DESCRIPTION = "langfuse.experiment.description"
_ENDPOINT = re.compile(r"http://127\.0\.0\.1:\d+")
_TASK_ERROR = "The task endpoint <endpoint> answered with HTTP status 404; check its URL."
_EVALUATOR_ERROR = "The evaluator endpoint <endpoint> answered with HTTP status 400."

Record = dict[str, Any]


async def observed_now(mode: Mode, source: str) -> Record:
    """What evalrpc writes to a server of a generation."""
    with tempfile.TemporaryDirectory() as directory:
        async with LangfuseStandIn(Settings(mode=mode)) as langfuse, capitals() as app:
            run.load_dataset(langfuse)
            experiment = await observe(langfuse, app, source, Path(directory))
            assert not experiment.langfuse.queued, experiment.langfuse
            text = json.dumps(normalise(langfuse))
            record: Record = json.loads(_ENDPOINT.sub("<endpoint>", text))
            # How often a stream looks for a run's id before its first link is answered depends on timing.
            record["requests"].pop("GET /api/public/datasets/{name}/runs/{run}", None)
            return record


def observed(mode: Mode) -> dict[str, Record]:
    """The captured records of evalrpc, by source of the items."""
    document: dict[str, Record] = json.loads((OBSERVED / f"evalrpc-{mode}.json").read_text("utf-8"))
    return document


# ------------------------------------------------------------------------------------------ one form for both


def comparable(record: Record) -> Record:
    """Every span with all of its attributes, JSON texts as values, metadata in one place, errors under one text."""
    text = json.dumps(record, ensure_ascii=False)
    for ours, theirs in ((_TASK_ERROR, "no such country"), (_EVALUATOR_ERROR, "judge is out")):
        text = text.replace(ours, theirs)
    text = text.replace("TASK_HTTP_STATUS: ", "ValueError: ")
    found: Record = json.loads(text)
    traces = []
    for trace in found["traces"]:
        common = trace["on_every_span"]
        (root,) = trace["roots"]
        spans = {span["name"]: span for span in _flat(root, None, common)}
        subject = spans["experiment-item-task"]["attributes"]["langfuse.observation.input"]
        traces.append({"subject": subject, "spans": spans, "scores": trace["scores"]})
    traces.sort(key=lambda trace: json.dumps(trace["subject"]))
    return {"traces": traces, "scores": found["scores"]}


def _flat(span: Record, parent: str | None, common: Record) -> Iterator[Record]:
    attributes: Record = {}
    metadata: Record = {}
    for key, value in (common | span["attributes"]).items():
        if key == METADATA:
            metadata |= json.loads(value)
        elif key.startswith(f"{METADATA}."):
            metadata[key.removeprefix(f"{METADATA}.")] = _parsed(value)
        else:
            attributes[key] = _parsed(value)
    if metadata:
        attributes[METADATA] = metadata
    # The same input has another default id in each implementation.
    if len(str(attributes.get("langfuse.experiment.item.id"))) == 16:
        attributes["langfuse.experiment.item.id"] = "<hash of the input>"
    own = {key: span[key] for key in ("name", "type", "level", "status", "events")}
    yield own | {"parent": parent, "attributes": attributes}
    for child in span["children"]:
        yield from _flat(child, span["name"], common)


def _parsed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


# --------------------------------------------------------------------------------------- the differences, in words


def expected_of_evalrpc(sdk: Record, source: str) -> Record:
    """What evalrpc should write, given what SDK 5 writes: each statement is a difference that the docs explain."""
    expected: Record = json.loads(json.dumps(sdk))
    for trace in expected["traces"]:
        spans = trace["spans"]
        root, task = spans["experiment-item-run"], spans["experiment-item-task"]
        description = task["attributes"][DESCRIPTION]
        for span in spans.values():
            # Langfuse asks any span for the description; the SDK leaves it out of some.
            span["attributes"][DESCRIPTION] = description
            # The SDK's traces are all called experiment-item-run.
            span["attributes"]["langfuse.trace.name"] = "Capitals"
        if source == "hosted":
            # The dataset's version is pinned also where the latest was asked for.
            for span in (root, task):
                span["attributes"]["langfuse.experiment.item.version"] = "<time>"
        if root["level"] == "ERROR":
            # The SDK leaves the input out of a failed item's root span, and tells the exception there twice.
            for key in ("langfuse.observation.input", METADATA):
                root["attributes"][key] = task["attributes"][key]
            root["events"] = ["exception"]
    for score in [*expected["scores"], *(score for trace in expected["traces"] for score in trace["scores"])]:
        # The SDK gives scores the environment of the client, and not that of the spans.
        score["environment"] = "sdk-experiment"
    return expected


async def _capture() -> None:
    OBSERVED.mkdir(exist_ok=True)
    for mode in MODES:
        document = {source: await observed_now(mode, source) for source in SOURCES}
        text = json.dumps(document, indent=1, ensure_ascii=False)
        (OBSERVED / f"evalrpc-{mode}.json").write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    asyncio.run(_capture())
