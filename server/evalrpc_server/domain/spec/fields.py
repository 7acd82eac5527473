"""Field types that several parts of the spec share."""

from __future__ import annotations

import re
import unicodedata
from datetime import timedelta
from decimal import Decimal
from ipaddress import IPv4Address
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

_SECRET_REFERENCE = re.compile(r"\$\{secret:([A-Za-z_][A-Za-z0-9_]*)\}")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NUMERIC_HOST = re.compile(r"(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)\.?$", re.IGNORECASE)
_MAX_SECONDS = 86_400.0


class SpecModel(BaseModel):
    """Base of all parts of a spec: immutable, and nothing unknown is let through."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class OneOfModel(SpecModel):
    """A part of a spec of which exactly one field is set, as in a protobuf oneof."""

    @model_validator(mode="after")
    def _exactly_one(self) -> OneOfModel:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            choices = ", ".join(type(self).model_fields)
            problem = "none is" if not given else f"{' and '.join(given)} are"
            raise PydanticCustomError("one_of", f"must set exactly one of {choices}; {problem} set")
        return self

    @property
    def kind(self) -> str:
        """The name of the field that is set."""
        return next(name for name in type(self).model_fields if getattr(self, name) is not None)


def _seconds(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, str) and value.endswith("s"):
        try:
            return float(value[:-1])
        except ValueError:
            pass
    return value


def _positive_seconds(value: float) -> float:
    if not 0 < value <= _MAX_SECONDS:
        raise PydanticCustomError("seconds", "must be above 0s and at most 86400s")
    return value


Seconds = Annotated[
    float,
    BeforeValidator(_seconds),
    AfterValidator(_positive_seconds),
    PlainSerializer(lambda value: f"{Decimal(repr(value)).normalize():f}s"),
]
"""A duration; written and read as protobuf's JSON does, `"2.5s"`."""


def _name(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("empty", "must not be empty")
    if len(value) > 255:
        raise PydanticCustomError("too_long", "must be at most 255 characters")
    if _CONTROL.search(value):
        raise PydanticCustomError("control", "must not contain control characters")
    return value


Name = Annotated[str, AfterValidator(_name)]
"""A name that a person gave: not blank, at most 255 characters, no control characters."""


def _key(value: str) -> str:
    if "\x00" in value:
        raise PydanticCustomError("nul", "must not hold the character NUL")
    return value


Key = Annotated[str, AfterValidator(_key)]
"""What something is looked up by; not every store can hold NUL."""


def _is_odd_host(host: str) -> bool:
    """Whether a host is a number that some resolvers take for an address, or is not in Unicode's normal form."""
    if unicodedata.normalize("NFKC", host) != host:
        return True
    if ":" in host or not _NUMERIC_HOST.search(host):
        return False
    try:
        IPv4Address(host)
    except ValueError:
        return True
    return False


def http_url(value: str) -> str:
    """Checks an absolute http or https URL without credentials."""
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise PydanticCustomError("url", "must be a valid URL such as http://127.0.0.1:9000/task") from None
    if parts.scheme not in {"http", "https"}:
        raise PydanticCustomError("url_scheme", "must be a URL that begins with http:// or https://")
    if not host:
        raise PydanticCustomError("url_host", "must name a host, as in http://127.0.0.1:9000/task")
    if _is_odd_host(host):
        raise PydanticCustomError(
            "url_host", "must name a host, or an IPv4 address as four decimal numbers without leading zeros"
        )
    if parts.username or parts.password:
        raise PydanticCustomError(
            "url_credentials", 'must not hold credentials; send them in headers as "Bearer ${secret:NAME}"'
        )
    if _CONTROL.search(value) or " " in value:
        raise PydanticCustomError("url", "must not contain spaces or control characters; percent-encode them")
    return value


HttpUrl = Annotated[str, AfterValidator(http_url)]
"""An absolute http or https URL without credentials."""


def _grpc_target(value: str) -> str:
    host, colon, port = value.rpartition(":")
    if "://" in value or not colon or not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise PydanticCustomError("target", "must be host:port, such as 127.0.0.1:50052")
    return value


GrpcAddress = Annotated[str, AfterValidator(_grpc_target)]
"""Where a gRPC endpoint listens, `host:port`."""


def header_value(value: str) -> str:
    """Checks what is to be sent in a header: printable ASCII, and references to secrets that are well-formed."""
    if _CONTROL.search(value.replace("\t", " ")):
        raise PydanticCustomError("header_value", "holds a header value with control characters")
    if not value.isascii():
        raise PydanticCustomError("header_value", "holds a header value that is not ASCII")
    if "${secret:" in _SECRET_REFERENCE.sub("", value):
        raise PydanticCustomError("secret", "holds a malformed secret reference; write ${secret:NAME}")
    return value


def _headers(value: dict[str, str]) -> dict[str, str]:
    for name, content in value.items():
        if not _HEADER_NAME.fullmatch(name):
            raise PydanticCustomError(
                "header_name", "holds a header name with characters that HTTP does not allow"
            )
        header_value(content)
    return value


Headers = Annotated[dict[str, str], AfterValidator(_headers), Field(default_factory=dict)]
"""HTTP headers or gRPC metadata; values may hold `${secret:NAME}`."""
