"""What tests of webhooks share: webhooks as Langfuse sends them, and what is told of the runs that they start."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from typing import Any

import httpx

SECRET = "lf-whsec_" + "5f" * 32
SECONDS = 60.0
FINAL = {"EXPERIMENT_STATE_SUCCEEDED", "EXPERIMENT_STATE_FAILED", "EXPERIMENT_STATE_CANCELLED"}


def body_of(payload: Any, *, dataset: str = "capitals", project: str = "project-one") -> bytes:
    """A webhook's body, its payload as a string as Langfuse sends it."""
    text = payload if isinstance(payload, str) else json.dumps(payload)
    fields = {"projectId": project, "datasetId": "dataset-1", "datasetName": dataset, "payload": text}
    return json.dumps(fields).encode()


def signed(body: bytes, secret: str = SECRET, *, at: float | None = None) -> dict[str, str]:
    """The headers with which Langfuse sends a body."""
    seconds = str(int(time.time() if at is None else at))
    digest = hmac.new(secret.encode(), seconds.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {
        "content-type": "application/json",
        "user-agent": "Langfuse/1.0",
        "x-langfuse-signature": f"t={seconds},v1={digest}",
    }


async def ended(client: httpx.AsyncClient, url: str, *, delivered: bool = True) -> Any:
    """Waits for a run's end, and until Langfuse has all of it; returns the run."""
    async with asyncio.timeout(SECONDS):
        while True:
            run = (await client.get(url)).raise_for_status().json()
            if run["state"] in FINAL and not (delivered and run.get("langfuse", {}).get("queued")):
                return run
            await asyncio.sleep(0.05)
