"""Specs as JSON or YAML, in the JSON form of the contract."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from evalrpc._documents import encode
from evalrpc._errors import Violation, invalid
from evalrpc._spec.parsing import parsed
from evalrpc._spec.yaml_json import parse_yaml
from evalrpc.v1 import experiment_spec_pb2

_DOCUMENTS = ("input", "expected_output", "expectedOutput", "metadata")


def load_spec(
    spec: experiment_spec_pb2.ExperimentSpec | Mapping[str, Any] | str | Path,
) -> tuple[experiment_spec_pb2.ExperimentSpec, str]:
    """Returns a spec, and the request id that stands beside it or "".

    A mapping or a file may hold the spec itself, or a request: {"experiment": ..., "request_id": ...}.

    Raises:
        InvalidRequestError: it does not have the contract's form.
        OSError: the file cannot be read.
    """
    if isinstance(spec, experiment_spec_pb2.ExperimentSpec):
        copy = experiment_spec_pb2.ExperimentSpec()
        copy.CopyFrom(spec)
        return copy, ""
    content = spec if isinstance(spec, Mapping) else read_mapping(Path(spec))
    request_id = ""
    if "experiment" in content:
        request_id = str(content.get("request_id") or content.get("requestId") or "")
        content = content["experiment"]
    return parsed(_exact(content), experiment_spec_pb2.ExperimentSpec(), "experiment"), request_id


def read_mapping(path: Path) -> Mapping[str, Any]:
    """Returns the JSON or YAML object in a file.

    Raises:
        InvalidRequestError: it holds something else.
        OSError: it cannot be read.
    """
    text = path.read_text("utf-8")
    try:
        content = json.loads(text) if path.suffix == ".json" else parse_yaml(text)
    except (ValueError, yaml.YAMLError) as error:
        raise invalid([Violation(str(path), f"cannot be read: {error}")]) from None
    if not isinstance(content, Mapping):
        raise invalid([Violation(str(path), "must hold an object")])
    return content


def _exact(content: Any) -> Any:
    """Returns a spec whose items' documents are text, which keeps whole numbers that `value` would round."""
    items = content.get("items") if isinstance(content, Mapping) else None
    if not isinstance(items, Mapping) or not isinstance(listed := items.get("items"), list):
        return content
    return {**content, "items": {**items, "items": [_exact_item(item) for item in listed]}}


def _exact_item(item: Any) -> Any:
    if not isinstance(item, Mapping):
        return item
    exact = dict(item)
    for key in _DOCUMENTS:
        document = exact.get(key)
        if isinstance(document, Mapping) and list(document) == ["value"]:
            try:
                exact[key] = {"text": encode(document["value"])}
            except ValueError:
                continue  # the server says what is wrong with it
    return exact


def read_items(path: Path) -> Iterator[dict[str, Any]]:
    """Yields the items in a file: JSON Lines, one object per line, or a JSON list where the name ends in .json.

    Raises:
        InvalidRequestError: a line is no object.
        OSError: the file cannot be read.
    """
    if path.suffix == ".json":
        yield from _items(path, [("", path.read_text("utf-8"))], listed=True)
    else:
        with path.open(encoding="utf-8") as lines:
            numbered = ((f":{number}", line) for number, line in enumerate(lines, start=1) if line.strip())
            yield from _items(path, numbered, listed=False)


def _items(path: Path, texts: Iterable[tuple[str, str]], *, listed: bool) -> Iterator[dict[str, Any]]:
    for place, text in texts:
        try:
            content = json.loads(text)
        except ValueError as error:
            raise invalid([Violation(f"{path}{place}", f"cannot be read: {error}")]) from None
        items = content if listed else [content]
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise invalid(
                [Violation(f"{path}{place}", "must hold " + ("a list of objects" if listed else "an object"))]
            )
        yield from items
