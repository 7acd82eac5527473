"""Data of any size: a generator is read only as fast as the server stores it. An upload serves many experiments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from evalrpc import Client


def questions() -> Iterator[dict[str, Any]]:
    """Yields items one at a time."""
    for number in range(10_000):
        yield {"id": f"q{number}", "input": f"What is {number} + 1?", "metadata": {"number": number}}


def add(*, item: Any) -> int:
    """Adds one."""
    return int(item.metadata["number"]) + 1


with Client() as client:
    upload = client.upload(questions(), description="sums")
    print(upload.item_count, "items")
    result = client.run_experiment(name="Sums", data=upload, dry_run_items=2, task=add)
print([each.output for each in result.item_results])
