"""The Langfuse projects that the server may write to and read from, by name, from its configuration.

`LANGFUSE_PUBLIC_KEY`, `LANGFUSE_SECRET_KEY` and `LANGFUSE_BASE_URL` (or `LANGFUSE_HOST`) make the project `default`. A YAML
or JSON file adds more:

    projects:
      team-a:
        base_url: https://langfuse.example.com
        public_key: pk-lf-...
        secret_key: ${secret:TEAM_A_LANGFUSE}

Credentials live here and in the headers of calls, and nowhere else.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from evalrpc_server.domain.errors import (
    InvalidRequestError,
    NotFoundError,
    PreconditionError,
    Violation,
)
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.spec.fields import HttpUrl
from evalrpc_server.domain.spec.langfuse import Environment
from evalrpc_server.outbound.secrets import SecretError, Secrets

DEFAULT_NAME = "default"
"""The project that the `LANGFUSE_*` variables make."""

DEFAULT_BASE_URL = "https://cloud.langfuse.com"
DEFAULT_ENVIRONMENT = "sdk-experiment"
"""The environment of traces and scores; Langfuse's own SDKs use it for experiments."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


class ProjectsError(ValueError):
    """The configuration of Langfuse projects is wrong; the message says where and how to mend it, without values."""


class LinkSetting(StrEnum):
    """How an operator wants results to be tied to dataset items."""

    AUTO = "auto"
    V4 = "v4"
    LEGACY = "legacy"


class Project(BaseModel):
    """One Langfuse project and how to talk to it.

    Attributes:
        name: by which experiments choose it.
        base_url: where Langfuse is, without a slash at the end.
        public_key: the project's public key.
        secret_key: the project's secret key; never shown.
        link_mode: `auto` asks the server; `v4` ties by attributes of spans alone; `legacy` by dataset run items as well.
        environment: of traces and scores, unless an experiment names its own.
        timeout: seconds for one request.
        project_id: Langfuse's id of the project; by default it is asked for.
        verify: whether to read back and count what arrived, once an experiment is delivered.
        traces_shown_after: seconds until the server shows what was exported to it; a real one takes about one.
        links_shown_after: the same of dataset run items; a real server takes 5 to 7, more where its queue is made to wait.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: str
    base_url: HttpUrl = DEFAULT_BASE_URL
    public_key: Annotated[str, StringConstraints(min_length=1, pattern=r"^[!-9;-~]+$")]
    secret_key: Annotated[str, StringConstraints(min_length=1, pattern=r"^[!-~]+$")] = Field(repr=False)
    link_mode: LinkSetting = LinkSetting.AUTO
    environment: Annotated[Environment, StringConstraints(min_length=1)] = DEFAULT_ENVIRONMENT
    timeout: float = Field(default=30.0, gt=0, le=600)
    project_id: str = ""
    verify: bool = False
    traces_shown_after: float = Field(default=5.0, gt=0, le=3600)
    links_shown_after: float = Field(default=10.0, gt=0, le=3600)

    @field_validator("base_url")
    @classmethod
    def _without_slash(cls, value: str) -> str:
        return value.rstrip("/")

    @property
    def authorization(self) -> str:
        """The value of the `Authorization` header."""
        pair = f"{self.public_key}:{self.secret_key}".encode("ascii")
        return f"Basic {base64.b64encode(pair).decode('ascii')}"


class Projects:
    """All configured projects; `repr` shows their names only."""

    def __init__(self, projects: Sequence[Project] = ()) -> None:
        self._projects = {project.name: project for project in projects}

    def __repr__(self) -> str:
        return f"Projects({', '.join(self._projects)})"

    def __iter__(self) -> Iterator[Project]:
        return iter(self._projects.values())

    def __len__(self) -> int:
        return len(self._projects)

    def get(self, name: str) -> Project | None:
        """Returns a project, or None where the configuration has none of that name (any more)."""
        return self._projects.get(name)

    def resolve(self, name: str, *, path: str = "langfuse_project") -> Project:
        """Returns the project that a request means.

        Args:
            name: as the request gives it; empty for the only project, or the one named `default`.
            path: where the name stands in the request, for violations.

        Raises:
            PreconditionError: no project is configured.
            NotFoundError: none has that name.
            InvalidRequestError: none is named, and there are several.
        """
        if not self._projects:
            raise PreconditionError(
                Reason.LANGFUSE_NOT_CONFIGURED,
                "this needs Langfuse, and the server has no Langfuse project; set LANGFUSE_PUBLIC_KEY and "
                "LANGFUSE_SECRET_KEY on the server",
                hint="set LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY on the server",
            )
        known = ", ".join(sorted(self._projects))
        if not name:
            chosen = self._projects.get(DEFAULT_NAME)
            if len(self._projects) == 1:
                (chosen,) = self._projects.values()
            if chosen is None:
                raise InvalidRequestError(
                    [Violation(path, f"is required: the server has several projects; choose one of {known}")]
                )
            return chosen
        if name not in self._projects:
            raise NotFoundError(
                Reason.LANGFUSE_PROJECT_NOT_FOUND,
                f"{path}: the server has no Langfuse project named {name!r}; it has {known}",
                project=name,
            )
        return self._projects[name]


def load_projects(environment: Mapping[str, str], file: Path | None, secrets: Secrets) -> Projects:
    """Reads the configured projects, and has their secret keys scrubbed from logs and errors.

    Args:
        environment: the process's variables.
        file: a YAML or JSON file with more projects; None for none.
        secrets: what `${secret:NAME}` in the file refers to.

    Raises:
        ProjectsError: something is missing or wrong.
    """
    entries: list[tuple[str, dict[str, Any]]] = []
    if (variables := _from_environment(environment)) is not None:
        entries.append(("LANGFUSE_* variables", variables))
    if file is not None:
        entries += [(f"{file}: projects.{fields['name']}", fields) for fields in _from_file(file)]
    projects: dict[str, Project] = {}
    for place, fields in entries:
        project = _project(place, fields, secrets)
        if project.name in projects:
            raise ProjectsError(
                f"{place}: the project {project.name!r} is configured twice; rename one of them"
            )
        projects[project.name] = project
        for secret in (project.secret_key, project.authorization.removeprefix("Basic ")):
            secrets.protect(secret)
    return Projects(list(projects.values()))


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any] | None:
    public, secret = (environment.get(f"LANGFUSE_{kind}_KEY", "").strip() for kind in ("PUBLIC", "SECRET"))
    if not public and not secret:
        return None
    for name, value in (("LANGFUSE_PUBLIC_KEY", public), ("LANGFUSE_SECRET_KEY", secret)):
        if not value:
            raise ProjectsError(f"{name} is not set although its twin is; set both or none")
    url = environment.get("LANGFUSE_BASE_URL", "").strip() or environment.get("LANGFUSE_HOST", "").strip()
    return {
        "name": DEFAULT_NAME,
        "base_url": url or DEFAULT_BASE_URL,
        "public_key": public,
        "secret_key": secret,
    }


def _from_file(file: Path) -> list[dict[str, Any]]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ProjectsError(
            f"{file} cannot be read: {getattr(error, 'strerror', None) or 'no UTF-8'}"
        ) from None
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", -1) + 1
        raise ProjectsError(f"{file} is neither YAML nor JSON (line {line})") from None
    projects = content.get("projects") if isinstance(content, dict) else None
    if not isinstance(projects, dict) or set(content) != {"projects"}:
        raise ProjectsError(f"{file} must hold one key, projects, with a project's settings under each name")
    for name, fields in projects.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ProjectsError(
                f"{file}: {name!r} is no name for a project; use letters, digits, '.', '_', '-'"
            )
        if not isinstance(fields, dict) or "name" in fields:
            raise ProjectsError(f"{file}: projects.{name} must hold base_url, public_key and secret_key")
    return [{**fields, "name": name} for name, fields in projects.items()]


def _project(place: str, fields: dict[str, Any], secrets: Secrets) -> Project:
    try:
        expanded = {
            name: secrets.expand(value) if isinstance(value, str) else value for name, value in fields.items()
        }
        return Project.model_validate(expanded)
    except SecretError as error:
        raise ProjectsError(f"{place}: {error}") from None
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False, include_context=False)[0]
        field = ".".join(str(part) for part in problem["loc"])
        raise ProjectsError(f"{place}.{field}: {_explain(field, problem['msg'])}") from None


def _explain(field: str, message: str) -> str:
    if field.endswith("_key") and "pattern" in message:
        return "must be visible ASCII characters without spaces"
    return message.replace("Input should", "must").replace("Field required", "is required")


def path_segment(name: str) -> str:
    """Returns a name as one segment of a URL's path, its slashes encoded."""
    return quote(name, safe="")
