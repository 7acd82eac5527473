"""A server that asks for a token lets in whoever has one."""

from __future__ import annotations

from typing import Any

from tests.conformance.stage import Stage, error_of


def run(stage: Stage) -> Any:
    def answer(token: str | None) -> dict[str, Any]:
        with stage.secured_client(token=token) as client:
            error = error_of(lambda: client.get("exp_none"))
        return {"kind": error["kind"], "reason": error["reason"]}

    return {
        "let_in": answer(stage.secured["token"])["kind"],
        "without": answer(None),
        "with_another": answer("none"),
    }
