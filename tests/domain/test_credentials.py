from __future__ import annotations

from typing import Any

import pytest

from evalrpc_server.domain.credentials import find_sealed, redact_credentials, replace_credentials
from evalrpc_server.domain.spec.evaluators import EvaluatorSpec
from evalrpc_server.domain.spec.experiment import ExperimentSpec
from evalrpc_server.domain.spec.sealed import sealed_spec

KEY = "Zx81abcdefghij0123456789"


def seal(value: str) -> str:
    return "${sealed:" + value.encode().hex() + "}"


def written_out(fields: dict[str, Any]) -> list[str]:
    """Returns what of a spec's fields is replaced, in their order."""
    found: list[str] = []

    def replace(value: str) -> str:
        found.append(value)
        return "*"

    replace_credentials(fields, replace)
    return found


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {KEY}"},
        {"authorization": f"Basic {KEY}"},
        {"X-Api-Key": KEY},
        {"api-key": KEY},
        {"apikey": KEY},
        {"X-Auth-Token": KEY},
        {"x-functions-key": KEY},
        {"Ocp-Apim-Subscription-Key": KEY},
        {"X-Key": KEY},
        {"Cookie": KEY},
        {"X-Client-Secret": KEY},
        {"X-Forwarded-For-The-App": f"app-{KEY}"},
    ],
)
def test_credentials_in_headers_are_found(headers):
    assert [each.removeprefix("app-") for each in written_out({"task": {"http": {"headers": headers}}})] == [
        KEY
    ]


@pytest.mark.parametrize(
    "task",
    [
        {"ragflow": {"api_key": f"ragflow-{KEY}", "chat_id": "0123456789abcdef0123456789abcdef"}},
        {"dify": {"api_key": KEY, "inputs": {"user": "u", "city": "Paris"}}},
        {"dify": {"inputs": {"crm_password": KEY}}},
        {"openai": {"api_key": KEY, "model": "gpt-4.1-mini-2025-04-14"}},
        {"http": {"body": {"auth": {"accessToken": KEY}, "primary_key": "id", "max_tokens": "5"}}},
        {"http": {"body": {"text": f"use sk-{KEY} here"}}},
        {"http": {"pre_call": {"headers": {"authorization": KEY}}}},
        {"http": {"url": f"https://h.example/x?api_key={KEY}&page=2"}},
        {"grpc": {"metadata": {"x-key": KEY}}},
    ],
)
def test_credentials_in_tasks_are_found(task):
    assert [each.replace("ragflow-", "").replace("sk-", "") for each in written_out({"task": task})] == [KEY]


@pytest.mark.parametrize(
    "fields",
    [
        {"task": {"http": {"headers": {"Authorization": "Bearer ${secret:KEY}", "X-App": "geo"}}}},
        {"task": {"http": {"headers": {"Authorization": "Bearer {{captured.token}}"}}}},
        {"task": {"http": {"headers": {"Authorization": "Bearer ${sealed:abc}"}}}},
        {"task": {"http": {"url": "https://app-service-2-production.example.com/key?page=2"}}},
        {"task": {"worker": {"function": "app-abcdefghijklmnopqrstuvwxyz1"}}},
        {"evaluators": [{"builtin": {"name": "contains", "params": {"token": "x", "secret": "y"}}}]},
        {"metadata": {"key": "value", "model": "m"}},
        {"name": f"sk-{KEY}"},
    ],
)
def test_what_is_no_credential_stays(fields):
    assert written_out(fields) == []
    assert redact_credentials(fields) == fields or "${sealed:" in str(fields)


def test_what_is_shown_holds_neither_credentials_nor_sealed_values():
    headers = {"Authorization": f"Bearer {KEY}", "X-Api-Key": seal(KEY), "X-Team": "qa"}
    assert redact_credentials({"task": {"http": {"headers": headers}}}) == {
        "task": {
            "http": {
                "headers": {
                    "Authorization": "Bearer [redacted]",
                    "X-Api-Key": "[redacted]",
                    "X-Team": "qa",
                }
            }
        }
    }


def test_a_sealed_spec_is_the_same_spec_without_its_credentials():
    spec = ExperimentSpec.model_validate(
        {
            "name": "n",
            "metadata": {"api_key": KEY, "model": "m"},
            "upload": "u",
            "task": {"http": {"url": "http://a.example", "headers": {"Authorization": f"Bearer {KEY}"}}},
            "evaluators": [{"name": "e", "http": {"url": "http://a.example", "headers": {"x-api-key": KEY}}}],
            "task_timeout": "2.5s",
        }
    )
    sealed = sealed_spec(spec, seal)
    assert KEY not in sealed.model_dump_json()
    assert sealed.metadata == {"api_key": "[redacted]", "model": "m"}
    assert sealed.task.http is not None
    assert sealed.task.http.headers == {"Authorization": f"Bearer {seal(KEY)}"}
    assert sealed.task_timeout == 2.5
    assert sealed_spec(sealed, seal) == sealed


def test_a_spec_without_credentials_is_left_alone():
    spec = EvaluatorSpec.model_validate({"name": "e", "http": {"url": "http://a.example"}})
    assert sealed_spec(spec, seal) is spec


def test_sealed_values_are_found_wherever_they_are():
    fields = {"task": {"http": {"url": "u"}}, "evaluators": [{}, {"http": {"headers": {"x": seal(KEY)}}}]}
    assert find_sealed(fields, "experiment") == "experiment.evaluators[1].http.headers.x"
    assert find_sealed({"a": [1, None, "text"]}, "experiment") is None
