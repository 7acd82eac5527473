"""The server's configuration: flags, `EVALRPC_*` variables, and defaults, in this order of precedence."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from evalrpc_server import __version__
from evalrpc_server.domain.spec.fields import http_url
from evalrpc_server.outbound.policy import parse_policy


class Settings(BaseSettings):
    """How the server runs. Every field is a flag (`--data-dir`) and a variable (`EVALRPC_DATA_DIR`)."""

    model_config = SettingsConfigDict(env_prefix="EVALRPC_", extra="ignore", frozen=True)

    listen: str = Field("127.0.0.1:50051", description="gRPC address, host:port; port 0 takes a free one")
    http_listen: str = Field(
        "127.0.0.1:8080", description="address of health, metrics and webhooks; empty for none"
    )
    data_dir: Path = Field(Path("data"), description="where the embedded store lives")
    store: str = Field(
        "", description="postgresql:// URL of the store; default: SQLite in the data directory"
    )
    tls_certificate: Path | None = Field(
        None, description="PEM file of the server's certificate and its chain"
    )
    tls_key: Path | None = Field(None, description="PEM file with its key")
    tls_client_authorities: Path | None = Field(
        None, description="PEM file of authorities; callers must show a certificate of one of them"
    )
    tokens: Path | None = Field(
        None, description="YAML file with the hashes of bearer tokens; callers must send one"
    )
    insecure: bool = Field(
        default=False,
        description="listen on other than loopback addresses without tokens or client certificates",
    )
    drain_grace: float = Field(
        20.0, ge=0, description="seconds that items in flight get to finish on SIGTERM"
    )
    max_rpcs: int = Field(2000, ge=1, description="RPCs open at once, streams included")
    max_running_experiments: int = Field(100, ge=1, description="experiments that run at once; others wait")
    worker_lease: float = Field(
        15.0, ge=1, le=3600, description="seconds that a call stays with a worker that is silent"
    )
    executor: Literal["threads", "processes"] = Field("threads", description="where CPU-bound evaluators run")
    executor_workers: int = Field(2, ge=1, le=256, description="size of the executor's pool")
    reflection: bool = Field(default=True, description="serve gRPC reflection")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="least level that is logged"
    )
    log_format: Literal["auto", "json", "text"] = Field(
        "auto", description="auto: text on a terminal, else JSON"
    )
    secrets_dir: Path | None = Field(
        None, description="directory with one file per secret, for ${secret:NAME}"
    )
    sealing_key: Path | None = Field(
        None,
        description="file with the key that seals credentials in the store; default: sealing.key in the data directory",
    )
    langfuse_projects: Path | None = Field(
        None, description="YAML or JSON file with more Langfuse projects than the LANGFUSE_* variables name"
    )
    outbound_allow: str = Field(
        "",
        description="what callers may have called: public, private, hosts, networks, each with or without :port; "
        "default: public, and private while the server listens on loopback alone",
    )
    definitions: Path | None = Field(
        None, description="directory of YAML files with experiments that webhooks start by name"
    )
    webhook_secrets: str = Field(
        "", description="names of secrets, any one of which signs Langfuse's webhooks; see ${secret:NAME}"
    )
    webhook_unsigned: bool = Field(default=False, description="take webhooks without a signature too")
    webhook_definition: str = Field(
        "",
        description="definition that every run of a webhook starts from: evaluators, and what else it leaves out",
    )
    ragflow_url: str = Field(
        "https://api.ragflow.io", description="RAGFlow server of webhooks whose payload names none"
    )
    ca_file: Path | None = Field(
        None, description="PEM file of authorities that endpoints are verified against"
    )
    client_certificate: Path | None = Field(
        None, description="PEM file shown to endpoints that ask for a certificate"
    )
    client_key: Path | None = Field(None, description="PEM file with its key")

    @model_validator(mode="after")
    def _check_tls(self) -> Settings:
        if bool(self.tls_certificate) != bool(self.tls_key):
            raise ValueError("--tls-certificate and --tls-key go together; one of them is missing")
        if self.tls_client_authorities and not self.tls_certificate:
            raise ValueError("--tls-client-authorities needs --tls-certificate and --tls-key")
        return self

    @field_validator("outbound_allow")
    @classmethod
    def _check_policy(cls, value: str) -> str:
        parse_policy(value, local=True)
        return value

    @field_validator("ragflow_url")
    @classmethod
    def _check_url(cls, value: str) -> str:
        return http_url(value)

    @model_validator(mode="after")
    def _check_webhook_definition(self) -> Settings:
        if self.webhook_definition and not self.definitions:
            raise ValueError("--webhook-definition needs --definitions, the directory where it is")
        return self

    @field_validator("listen", "http_listen")
    @classmethod
    def _check_address(cls, value: str) -> str:
        host, colon, port = value.rpartition(":")
        if value and (not colon or not host or not port.isdigit() or int(port) > 65535):
            raise ValueError("must be host:port, such as 127.0.0.1:50051")
        return value


def parser() -> argparse.ArgumentParser:
    """Returns the parser of the `evalrpc-server` command, with a flag for each field of `Settings`."""
    root = argparse.ArgumentParser(
        prog="evalrpc-server", description="Runs LLM experiments as a gRPC service."
    )
    root.add_argument("--version", action="version", version=f"evalrpc-server {__version__}")
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="run the server")
    add_flags(serve)
    check = commands.add_parser(
        "check", help="look at the configuration, the store and Langfuse; exit code 0 when all is well"
    )
    add_flags(check)
    health = commands.add_parser(
        "health", help="ask a running server for its health; exit code 0 when it serves"
    )
    health.add_argument("--address", default=None, help="host:port; default: the address of serve")
    token = commands.add_parser("token", help="make a bearer token for a caller")
    token.add_argument("name", help="of the caller; appears in logs")
    return root


def add_flags(command: argparse.ArgumentParser) -> None:
    """Adds a flag for each field of `Settings`."""
    for name, field in Settings.model_fields.items():
        variable = f"EVALRPC_{name.upper()}"
        switch: dict[str, Any] = {"nargs": "?", "const": "true"} if field.annotation is bool else {}
        command.add_argument(
            f"--{name.replace('_', '-')}",
            dest=name,
            default=argparse.SUPPRESS,
            **switch,
            metavar=name.rpartition("_")[2].upper(),
            help=f"{field.description} [{variable}; default: {field.get_default()}]".replace("%", "%%"),
        )


def settings_from(arguments: argparse.Namespace) -> Settings:
    """Returns the settings that flags, variables and defaults make together.

    Raises:
        pydantic.ValidationError: a flag or a variable has a value that it must not have.
    """
    given: dict[str, Any] = {
        name: getattr(arguments, name) for name in Settings.model_fields if hasattr(arguments, name)
    }
    return Settings(**given)


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parses the command line; ends the process with a usage message where it is wrong."""
    return parser().parse_args(argv)
