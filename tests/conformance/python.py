"""Runs all features with the Python client: `python -m tests.conformance.python [FEATURE...]`.

With `--host ID DIRECTORY` it is a worker instead.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import sys
import traceback
from pathlib import Path

from tests.conformance.features import HERE
from tests.conformance.hosting import host
from tests.conformance.stage import Stage


def main(names: list[str]) -> None:
    """Prints one line for each feature."""
    for name in names or sorted(path.parent.name for path in HERE.glob("*/feature.py")):
        line: dict[str, object] = {"feature": name}
        try:
            run = importlib.import_module(f"tests.conformance.{name}.feature").run
            outcome = run(Stage(name))
            line["outcome"] = asyncio.run(outcome) if inspect.iscoroutine(outcome) else outcome
        except Exception:  # noqa: BLE001  whatever goes wrong is this feature's failure
            line["failure"] = traceback.format_exc()
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--host"]:
        host(sys.argv[2], Path(sys.argv[3]))
    else:
        main(sys.argv[1:])
