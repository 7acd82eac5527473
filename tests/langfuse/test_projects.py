"""Projects from the configuration: variables, files, secrets, and what is said of a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalrpc_server.domain.errors import InvalidRequestError, NotFoundError, PreconditionError
from evalrpc_server.langfuse.projects import (
    DEFAULT_BASE_URL,
    LinkSetting,
    Project,
    Projects,
    ProjectsError,
    load_projects,
)
from evalrpc_server.outbound.secrets import REDACTED, Secrets

KEYS = {"LANGFUSE_PUBLIC_KEY": "pk-lf-1", "LANGFUSE_SECRET_KEY": "sk-lf-hidden"}


def load(environment: dict[str, str], text: str = "", path: Path | None = None) -> Projects:
    if path is not None:
        path.write_text(text, encoding="utf-8")
    return load_projects(environment, path, Secrets(environment=environment))


def project(name: str) -> Project:
    return Project(name=name, public_key="pk", secret_key="sk-hidden")


def test_the_variables_make_the_default_project():
    (found,) = load(KEYS | {"LANGFUSE_HOST": "https://langfuse.example.com/"})
    assert (found.name, found.base_url, found.link_mode) == (
        "default",
        "https://langfuse.example.com",
        LinkSetting.AUTO,
    )
    assert found.environment == "sdk-experiment"
    (found,) = load(KEYS | {"LANGFUSE_HOST": "https://old.example.com", "LANGFUSE_BASE_URL": "https://new"})
    assert found.base_url == "https://new"
    (found,) = load(KEYS)
    assert found.base_url == DEFAULT_BASE_URL


def test_nothing_configured_is_no_project():
    projects = load({"LANGFUSE_BASE_URL": "https://langfuse.example.com"})
    assert len(projects) == 0
    with pytest.raises(PreconditionError, match="LANGFUSE_PUBLIC_KEY") as caught:
        projects.resolve("")
    assert caught.value.reason == "LANGFUSE_NOT_CONFIGURED"


def test_a_file_adds_projects_whose_secrets_are_references(tmp_path: Path):
    text = """
projects:
  team-a: {base_url: https://a.example.com, public_key: pk-a, secret_key: "${secret:A}", link_mode: legacy}
  team-b: {public_key: pk-b, secret_key: sk-b-hidden, environment: ci, timeout: 5, project_id: p-b, verify: true}
"""
    projects = load(KEYS | {"EVALRPC_SECRET_A": "sk-a-hidden"}, text, tmp_path / "projects.yaml")
    assert repr(projects) == "Projects(default, team-a, team-b)"
    assert projects.resolve("team-a").secret_key == "sk-a-hidden"
    assert projects.resolve("team-a").link_mode is LinkSetting.LEGACY
    found = projects.resolve("team-b")
    assert (found.environment, found.timeout, found.project_id, found.verify) == ("ci", 5.0, "p-b", True)
    assert projects.resolve("").name == "default"


def test_secrets_are_never_shown(tmp_path: Path):
    environment = dict(KEYS)
    secrets = Secrets(environment=environment)
    (found,) = load_projects(environment, None, secrets)
    assert "sk-lf-hidden" not in repr(found) + str(found) + repr(Projects([found]))
    basic = found.authorization.removeprefix("Basic ")
    assert secrets.redact(f"sent {basic} and sk-lf-hidden") == f"sent {REDACTED} and {REDACTED}"


@pytest.mark.parametrize(
    ("environment", "text", "problem"),
    [
        ({"LANGFUSE_PUBLIC_KEY": "pk"}, "", "LANGFUSE_SECRET_KEY is not set"),
        ({"LANGFUSE_SECRET_KEY": "sk-hidden"}, "", "LANGFUSE_PUBLIC_KEY is not set"),
        (KEYS | {"LANGFUSE_SECRET_KEY": "sk hidden"}, "", "secret_key: must be visible ASCII"),
        (KEYS | {"LANGFUSE_BASE_URL": "localhost:3000"}, "", "base_url: must be a URL that begins with http"),
        ({}, "projects: [", "neither YAML nor JSON"),
        ({}, "- a", "must hold one key, projects"),
        ({}, "projects: {a b: {}}", "is no name for a project"),
        ({}, "projects: {a: 3}", "projects.a must hold base_url"),
        ({}, "projects: {a: {public_key: pk}}", "projects.a.secret_key: is required"),
        ({}, "projects: {a: {public_key: pk, secret_key: sk-hidden, colour: red}}", "projects.a.colour"),
        ({}, "projects: {a: {public_key: pk, secret_key: '${secret:NO}'}}", "The secret NO is not known"),
        ({}, "projects: {a: {public_key: pk, secret_key: sk-hidden, environment: Langfuse}}", "environment"),
        (KEYS, "projects: {default: {public_key: pk, secret_key: sk-hidden}}", "configured twice"),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_without_its_value(
    tmp_path: Path, environment: dict[str, str], text: str, problem: str
):
    with pytest.raises(ProjectsError) as caught:
        load(environment, text, tmp_path / "projects.yaml" if text else None)
    assert problem in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(ProjectsError, match=r"missing\.yaml cannot be read: No such file"):
        load_projects({}, tmp_path / "missing.yaml", Secrets())


def test_a_request_says_which_project_it_means():
    only, several = Projects([project("only")]), Projects([project("a"), project("b")])
    assert only.resolve("").name == "only"
    assert several.resolve("b").name == "b"
    with pytest.raises(InvalidRequestError, match="choose one of a, b") as caught:
        several.resolve("", path="experiment.langfuse_project")
    assert caught.value.violations[0].path == "experiment.langfuse_project"
    with pytest.raises(NotFoundError, match="no Langfuse project named 'c'; it has a, b") as missing:
        several.resolve("c")
    assert missing.value.reason == "LANGFUSE_PROJECT_NOT_FOUND"
