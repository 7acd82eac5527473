"""The tables of `server/docs/langfuse-comparison.md`: what each of Langfuse's SDKs writes, and what evalrpc does.

`python -m tests.langfuse.tables` writes the file anew from the captured records; a test holds it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tests.langfuse import comparison
from tests.processes import ROOT
from tests.standins.clients import observe, run

DOCUMENT = ROOT / "server" / "docs" / "langfuse-comparison.md"

Record = dict[str, Any]

_SDKS = {
    "python-3.15.0": "Python 3.15",
    "python-4.18.0": "Python 4.18",
    "python-5.0.4": "Python 5.0",
    run.JAVASCRIPT: "JS 5.11",
}
_MODES = {"events_only": "evalrpc (v4)", "dual": "evalrpc (dual)", "legacy": "evalrpc (v3)"}
_LETTERS = {"experiment-item-run": "R", "experiment-item-task": "T", "experiment-item-evaluation": "E"}
_EVALUATOR = "V"

_INTRODUCTION = """\
# What evalrpc writes beside what Langfuse's SDKs write

The same experiment everywhere: three items of a hosted dataset, one of which fails; four evaluators, one of which fails; one run
evaluator. Each SDK wrote to a server of the generation that it was made for, evalrpc to one of each. This file is made from what
the stand-in received (`python -m tests.langfuse.tables`); tests hold it against the SDKs and against the server.
"""

_DIFFERENCES = """\
## Differences from SDK 5, and why

| Difference | Why |
|---|---|
| The description stands on every span | Langfuse asks any one span for it; where some say nothing, the experiment may have none |
| `langfuse.trace.name` | the SDK's traces are all called experiment-item-run; the default here is the experiment's name, and `trace` in the spec sets name, tags, session and user |
| Metadata is one JSON attribute | numbers, truth values and objects keep their types on every server, and a large one costs no other attribute |
| `item.version` also where the latest version was asked for | the version is pinned when the experiment is accepted |
| A failed item's root span has its input, metadata and expected output | so that a failure can be read where it is listed |
| Scores have the environment of the spans | the SDK gives them the client's environment, and filters then miss them |
| Fixed ids and times of traces, spans and scores | what is sent twice is there once |
| Local items: the hash of the input is over its JSON text, and ids may be given | the SDKs' hashes differ from each other |
| Servers before version 4: attributes and the newer tree as well | an upgraded server shows the run as an experiment |
| Several spans or scores in each request, and no request per item on servers of version 4 | fewer requests, and fewer rate limits |
"""


def document() -> str:
    """The whole file."""
    records = {title: observe.observed(client)["hosted"] for client, title in _SDKS.items()}
    ours = {_MODES[mode]: comparison.observed(mode)["hosted"] for mode in comparison.MODES}
    everyone = records | ours
    legend = "On which spans: R `experiment-item-run`, T `experiment-item-task`, E `experiment-item-evaluation`, V evaluators."
    parts = [
        _INTRODUCTION,
        "## Spans of an item that went well\n\nBy type; a dash where there is no such span.",
        _table(["span", *everyone], _span_rows(everyone)),
        f"## Attributes of its spans\n\n{legend}",
        _table(["attribute", *everyone], _attribute_rows(everyone)),
        "## The failed item's root span",
        _table(["", *everyone], _failure_rows(everyone)),
        "## Scores",
        _table(["", *everyone], _score_rows(everyone)),
        "## Requests\n\nFor the three items; where timing decides about the number, it is left out.",
        _table(["request", *everyone], _request_rows(everyone)),
        _DIFFERENCES,
    ]
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def _table(head: Sequence[str], rows: Iterator[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _item(record: Record, word: str) -> dict[str, Record]:
    """The spans of the item whose trace has a word, by name, each with all its attributes."""
    for trace in record["traces"]:
        if word in str(trace):
            return {span["name"]: span for span in _flat(trace["roots"][0], trace["on_every_span"])}
    raise LookupError(word)


def _flat(span: Record, common: Record) -> Iterator[Record]:
    yield span | {"attributes": common | span["attributes"]}
    for child in span["children"]:
        yield from _flat(child, common)


def _span_rows(everyone: dict[str, Record]) -> Iterator[Sequence[str]]:
    items = {title: _item(record, "France") for title, record in everyone.items()}
    names = list(dict.fromkeys(name for spans in items.values() for name in spans))
    for name in sorted(names, key=lambda name: (list(_LETTERS).index(name) if name in _LETTERS else 9, name)):
        yield [f"`{name}`", *(spans[name]["type"] if name in spans else "-" for spans in items.values())]


def _attribute_rows(everyone: dict[str, Record]) -> Iterator[Sequence[str]]:
    items = {title: _item(record, "France") for title, record in everyone.items()}
    found: dict[str, dict[str, set[str]]] = {}
    for title, spans in items.items():
        for name, span in spans.items():
            for key in span["attributes"]:
                place = found.setdefault(_collapsed(key), {}).setdefault(title, set())
                place.add(_LETTERS.get(name, _EVALUATOR))
    for key in sorted(found):
        cells = [
            "".join(letter for letter in "RTEV" if letter in found[key].get(title, ())) for title in items
        ]
        yield [f"`{key}`", *(cell or "-" for cell in cells)]


def _collapsed(key: str) -> str:
    for prefix in (comparison.METADATA, "langfuse.experiment.metadata", "langfuse.experiment.item.metadata"):
        if key.startswith(f"{prefix}."):
            return f"{prefix}.*"
    return key


def _failure_rows(everyone: dict[str, Record]) -> Iterator[Sequence[str]]:
    roots = [_item(record, "item-atlantis")["experiment-item-run"] for record in everyone.values()]
    yield ["level", *(root["level"] for root in roots)]
    yield ["status", *(str(root["status"][0]) for root in roots)]
    yield ["events", *(", ".join(root["events"]) or "-" for root in roots)]
    for key in ("input", "output", "status_message"):
        has = [f"langfuse.observation.{key}" in root["attributes"] for root in roots]
        yield [key.replace("_", " "), *("yes" if one else "-" for one in has)]


def _score_rows(everyone: dict[str, Record]) -> Iterator[Sequence[str]]:
    scores = []
    for record in everyone.values():
        found = {score["name"]: score for trace in record["traces"] for score in trace["scores"]}
        found |= {score["name"]: score for score in record["scores"]}
        scores.append(found)
    for name in ("accuracy", "verdict", "concise", "avg_accuracy"):
        cells = []
        for found in scores:
            score = found.get(name)
            cells.append(f"{score['dataType']} on {score['subject']['kind']}" if score else "-")
        yield [f"`{name}`", *cells]
    yield [
        "environment",
        *(", ".join(sorted({one["environment"] for one in found.values()})) for found in scores),
    ]


def _request_rows(everyone: dict[str, Record]) -> Iterator[Sequence[str]]:
    names = sorted({name for record in everyone.values() for name in record["requests"]})
    for name in names:
        cells = [record["requests"].get(name) for record in everyone.values()]
        yield [
            f"`{name}`",
            *("-" if cell is None else ("some" if cell == "batched" else str(cell)) for cell in cells),
        ]


if __name__ == "__main__":
    DOCUMENT.write_text(document(), "utf-8")
