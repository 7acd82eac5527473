"""The experiment that Langfuse's SDKs run in `tests.standins.clients`, as an application and evaluators behind HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from tests.standins.clients.run import DATASET, ITEMS, RUN_NAME

EVALUATORS = ("accuracy", "verdict", "concise", "broken")


class Capitals:
    """The application; `headers` are those of each task call."""

    def __init__(self) -> None:
        self.url = ""
        self.headers: list[dict[str, str]] = []
        self.calls = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def task(self, request: web.Request) -> web.Response:
        self.headers.append(dict(request.headers))
        question = str((await request.json())["input"])
        if "Atlantis" in question:
            return web.Response(status=404, text="no such country")
        return web.json_response("Paris" if "France" in question else {"answer": "Kyoto"})

    async def evaluate(self, request: web.Request) -> web.Response:
        case = await request.json()
        right = case["output"] == case["expected_output"]
        match request.match_info["name"]:
            case "accuracy":
                comment = "as expected" if right else "not as expected"
                return web.json_response({"value": float(right), "comment": comment})
            case "verdict":
                verdict = "right" if right else "wrong"
                return web.json_response({"value": verdict, "metadata": {"judge": "plain"}})
            case "concise":
                return web.json_response({"value": len(str(case["output"])) < 10})
            case _:
                return web.Response(status=400, text="judge is out")

    async def parrot(self, request: web.Request) -> web.Response:
        """Answers with the item's input, whatever it says, once the gate is open."""
        await self.gate.wait()
        self.calls += 1
        return web.json_response((await request.json())["input"])

    async def dictated(self, request: web.Request) -> web.Response:
        """Gives the evaluations that stand in the item's metadata."""
        return web.json_response((await request.json())["metadata"]["evaluations"])

    async def average(self, request: web.Request) -> web.Response:
        values = [
            evaluation["value"]
            for result in (await request.json())["item_results"]
            for evaluation in result["evaluations"]
            if evaluation["name"] == "accuracy"
        ]
        return web.json_response({"value": sum(values) / len(values), "comment": "mean of accuracy"})

    def spec(self, source: str, **fields: Any) -> dict[str, Any]:
        """The experiment over items of the caller's (`local`), or over the dataset (`hosted`)."""
        data: dict[str, Any] = {"langfuse_dataset": {"name": DATASET}}
        if source == "local":
            data = {"items": {"items": [_item(item) for item in ITEMS]}}
        evaluators = [{"name": name, "http": {"url": f"{self.url}/evaluate/{name}"}} for name in EVALUATORS]
        return (
            {
                "name": "Capitals",
                "run_name": RUN_NAME,
                "description": "Questions about capitals",
                "metadata": {"model": "plain", "nested": {"depth": 1}},
                "task": {"http": {"url": f"{self.url}/task"}},
                "evaluators": evaluators,
                "run_evaluators": [{"name": "avg_accuracy", "http": {"url": f"{self.url}/average"}}],
                "langfuse_sync": "LANGFUSE_SYNC_WAIT",
            }
            | data
            | fields
        )


def _item(item: dict[str, Any]) -> dict[str, Any]:
    given = {"input": {"value": item["input"]}, "expected_output": {"value": item["expectedOutput"]}}
    return given | ({"metadata": {"value": item["metadata"]}} if "metadata" in item else {})


@asynccontextmanager
async def capitals() -> AsyncIterator[Capitals]:
    """Runs the application on a free port."""
    made = Capitals()
    app = web.Application()
    app.add_routes(
        [
            web.post("/task", made.task),
            web.post("/evaluate/{name}", made.evaluate),
            web.post("/average", made.average),
            web.post("/parrot", made.parrot),
            web.post("/dictated", made.dictated),
        ]
    )
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        await runner.cleanup()
