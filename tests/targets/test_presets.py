"""Every preset of the documentation, against an endpoint of its product's shape."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from google.protobuf import json_format

from evalrpc.v1 import experiment_spec_pb2, task_pb2
from evalrpc_server.domain.documents import Document
from evalrpc_server.domain.experiments import ExperimentRef
from evalrpc_server.domain.items import Item
from evalrpc_server.domain.results import Context
from evalrpc_server.domain.usage import Usage
from evalrpc_server.outbound.outbound import Outbound
from evalrpc_server.outbound.secrets import Secrets
from evalrpc_server.protobuf.spec import spec_from_message
from evalrpc_server.targets.port import TaskAnswer, TaskCall, TaskError
from evalrpc_server.targets.registry import open_target
from tests.standins import small_apps
from tests.standins.endpoints import Endpoints
from tests.targets.resources import resources

PRESETS = Path(__file__).parents[2] / "server" / "docs" / "presets"
DOCUMENTATION = PRESETS.parent / "targets-http.md"
SECRETS = {
    f"EVALRPC_SECRET_{name}": small_apps.KEY
    for name in ("LANGGRAPH_API_KEY", "FLOWISE_API_KEY", "LANGFLOW_API_KEY", "N8N_WEBHOOK_KEY")
}
ANSWER = Document(json.dumps(small_apps.ANSWER))
USAGE = Usage(input_tokens=7, output_tokens=5)
CONTEXTS = (Context(text=small_apps.PASSAGE, source="fr.md"),)


@pytest.fixture
async def endpoints():
    async with Endpoints() as running:
        yield running


async def ask(endpoints: Endpoints, name: str, question: str, *, path: str = "") -> TaskAnswer:
    """Runs a preset as a caller would send it, with the URL's host and maybe path changed."""
    fields: dict[str, Any] = yaml.safe_load((PRESETS / f"{name}.yaml").read_text())
    parts = urlsplit(fields["http"]["url"])
    route = path or parts.path
    endpoints.routes[route] = getattr(small_apps, name.partition("-")[0])
    fields["http"]["url"] = endpoints.url(route) + (f"?{parts.query}" if parts.query else "")
    message = experiment_spec_pb2.ExperimentSpec(name="n", upload="u")
    message.task.CopyFrom(json_format.ParseDict(fields, task_pb2.Task()))
    spec, violations = spec_from_message(message, item_count=None, path="experiment")
    assert violations == []
    assert spec is not None
    outbound = Outbound(secrets=Secrets(environment=SECRETS))
    target = open_target(spec.task, resources(outbound))
    call = TaskCall(
        experiment=ExperimentRef(id="exp_1", name="n", run_name="r"),
        item=Item(index=0, id="fr", input=Document(json.dumps(question))),
        trial=1,
        attempt=1,
        timeout=30,
        trace_id="0af7651916cd43dd8448eb211c80319c",
        span_id="b7ad6b7169203331",
    )
    try:
        return await target.call(call)
    finally:
        await target.aclose()
        await outbound.aclose()


@pytest.mark.parametrize(
    ("name", "path", "answer"),
    [
        ("langserve", "", TaskAnswer(output=ANSWER, contexts=CONTEXTS, metadata=Document('{"run_id":"r-1"}'))),
        ("langserve", "/model/invoke", TaskAnswer(output=ANSWER, usage=USAGE, metadata=Document('{"run_id":"r-1"}'))),
        ("langgraph", "", TaskAnswer(output=ANSWER, usage=USAGE)),
        ("flowise", "", TaskAnswer(output=ANSWER, contexts=CONTEXTS)),
        ("langflow", "", TaskAnswer(output=ANSWER)),
        ("n8n", "", TaskAnswer(output=ANSWER)),
        ("ollama", "", TaskAnswer(output=ANSWER, usage=USAGE, metadata=Document('{"model":"llama3.2","done_reason":"stop"}'))),
        ("kserve-v2", "", TaskAnswer(output=ANSWER, metadata=Document('{"model":"sentiment","version":"1"}'))),
    ],
)  # fmt: skip
async def test_a_preset_reads_what_its_product_answers(endpoints, name, path, answer):
    assert await ask(endpoints, name, "capital of France?", path=path) == answer


async def test_the_webhook_of_n8n_may_answer_a_list(endpoints):
    assert (await ask(endpoints, "n8n", "list")).output == ANSWER


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("langserve", "HTTP status 500"),
        ("langgraph", "no such tool"),
        ("flowise", "no such model"),
        ("langflow", "no such component"),
        ("n8n", "success predicate"),
        ("ollama", "an error was encountered"),
        ("kserve-v2", "the model is not ready"),
    ],
)
async def test_a_preset_sees_its_products_failures(endpoints, name, said):
    with pytest.raises(TaskError, match=re.escape(said)):
        await ask(endpoints, name, "fail")


def test_the_documentation_lists_every_preset():
    shown = set(re.findall(r"\(presets/([a-z0-9-]+)\.yaml\)", DOCUMENTATION.read_text()))
    assert shown == {path.stem for path in PRESETS.glob("*.yaml")}


def test_the_documentations_fragments_are_accepted():
    fragments = re.findall(
        r"^```(?:yaml|json)\n(.*?)^```", DOCUMENTATION.read_text(), re.DOTALL | re.MULTILINE
    )
    assert len(fragments) >= 4
    for fragment in fragments:
        fields = yaml.safe_load(fragment)
        fields = fields["task"]["http"] if "task" in fields else {"url": "https://a.example/", **fields}
        json_format.ParseDict({"http": fields}, task := task_pb2.Task())
        message = experiment_spec_pb2.ExperimentSpec(name="n", upload="u", task=task)
        assert spec_from_message(message, item_count=None, path="experiment")[1] == []
