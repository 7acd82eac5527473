"""A run and its functions over TLS; a server of another authority is not trusted."""

from __future__ import annotations

from typing import Any

from evalrpc import UnavailableError
from tests.conformance.stage import Stage, error_of


def run(stage: Stage) -> Any:
    token = stage.secured["token"]
    with stage.secured_client(token=token) as client:
        result = client.run(
            name=stage.unique("run"), data=[{"input": 2}], task=lambda *, item: item.input + 1
        ).result()
    with stage.secured_client(token=token, roots="other_roots") as client:
        distrusted = error_of(lambda: client.get("exp_none"))
    with stage.client(stage.secured["address"]) as client:
        try:
            client.get("exp_none")
            refused = False
        except UnavailableError:
            refused = True
    return {
        "output": result.item_results[0].output,
        "distrusted": distrusted["kind"],
        "unencrypted": refused,
    }
