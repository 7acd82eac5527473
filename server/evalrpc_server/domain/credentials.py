"""Which strings of a spec are credentials that somebody wrote out, by their names and by how they look.

A credential belongs in a spec by reference, `${secret:NAME}`. One that is written out all the same is sealed before it is
stored, `${sealed:...}`, and shown to nobody.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from evalrpc_server.domain.documents import JsonValue

REDACTED = "[redacted]"
"""What is shown in place of a credential."""

SEALED = re.compile(r"\$\{sealed:[A-Za-z0-9_-]+\}")
"""A sealed value."""

Replace: TypeAlias = Callable[[str], str]
"""Takes a written-out credential and returns what stands in its place."""

_CAMEL_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NAME = re.compile(
    r"(?:^|[-_.])(?:authorization|auth|apikey|token|secret|password|passwd|passphrase|pwd|credentials?|cookie|jwt|signature"
    r"|(?:access|account|api|app|auth|client|functions|license|master|private|secret|service|shared|signing|subscription)"
    r"[-_.]?key)$"
)
_HEADER_NAME = re.compile(r"(?:^|[-_.])key$")
_SCHEME = re.compile(r"^(?:Basic|Bearer|ApiKey|Digest|Key|Negotiate|Token)\s+", re.IGNORECASE)
_LOOKS = re.compile(
    r"(?<![A-Za-z0-9_-])(?:"
    r"(?:sk|rk|lf-whsec|pk-lf|sk-lf|evr|ghp|gho|ghs|glpat|github_pat|hf|xox[abeprs])[-_](?=[A-Za-z0-9_-]*\d)[A-Za-z0-9_-]{16,}"
    r"|(?:app|dataset|ragflow|fastgpt)-(?=[A-Za-z0-9]*\d)[A-Za-z0-9]{16,}"
    r"|AKIA[0-9A-Z]{16}|AIza[0-9A-Za-z_-]{30,}"
    r"|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"
    r")(?![A-Za-z0-9_-])"
)
_BEARER = re.compile(r"(?<=\bBearer )(?=[A-Za-z0-9._~+/=-]*\d)[A-Za-z0-9._~+/=-]{8,}")
_QUERY = re.compile(r"([?&])([^=&#?]+)=([^&#]+)")

_HEADERS = frozenset({"headers", "metadata"})
_URLS = frozenset({"url", "base_url"})
_FREE = frozenset({"headers", "body", "inputs", "agent_inputs", "parameters", "messages"})
"""Members of a spec in which callers write what they like, so that a credential is told by its looks too."""

_OWN_WORDS = frozenset({"builtin", "langfuse_dataset"})
"""Members that never leave the server, in whose parameters a `token` is a word."""


def replace_credentials(fields: JsonValue, replace: Replace) -> JsonValue:
    """Returns a spec's fields with every written-out credential replaced; references and sealed values stay."""
    if not isinstance(fields, dict):
        return _replaced(fields, replace, header=False, free=False)
    # The experiment's own metadata, unlike a gRPC endpoint's, holds no headers.
    own = {"metadata": fields["metadata"]} if "metadata" in fields else {}
    others = {key: value for key, value in fields.items() if key not in own}
    replaced = _replaced(others, replace, header=False, free=False)
    kept = {key: _replaced(value, replace, header=False, free=False) for key, value in own.items()}
    return {key: kept.get(key, replaced.get(key)) for key in fields}


def redact_credentials(fields: JsonValue) -> JsonValue:
    """Returns a spec's fields as they may be shown: without written-out credentials and without sealed values."""
    return _unsealed(replace_credentials(fields, lambda _: REDACTED))


def find_sealed(fields: JsonValue, path: str) -> str | None:
    """Returns the place of a sealed value; None where there is none. Only the server itself makes them."""
    if isinstance(fields, str):
        return path if "${sealed:" in fields else None
    if isinstance(fields, dict):
        places = ((value, f"{path}.{key}" if path else key) for key, value in fields.items())
    elif isinstance(fields, list):
        places = ((value, f"{path}[{index}]") for index, value in enumerate(fields))
    else:
        return None
    return next((found for value, place in places if (found := find_sealed(value, place))), None)


def _replaced(value: JsonValue, replace: Replace, *, header: bool, free: bool) -> JsonValue:
    if isinstance(value, dict):
        return {
            key: entry
            if key in _OWN_WORDS
            else _replaced_member(key, entry, replace, header=header, free=free)
            for key, entry in value.items()
        }
    if isinstance(value, list):
        return [_replaced(entry, replace, header=header, free=free) for entry in value]
    return _looked_through(value, replace) if free and isinstance(value, str) else value


def _replaced_member(key: str, entry: JsonValue, replace: Replace, *, header: bool, free: bool) -> JsonValue:
    if isinstance(entry, str) and entry:
        if _is_credential(key, header=header):
            return _replaced_credential(entry, replace)
        if key in _URLS and not free:
            return _QUERY.sub(lambda match: _replaced_parameter(match, replace), entry)
    return _replaced(entry, replace, header=key in _HEADERS, free=free or key in _FREE)


def _is_credential(name: str, *, header: bool) -> bool:
    plain = _CAMEL_HUMP.sub("_", name).lower()
    return bool(_NAME.search(plain) or (header and _HEADER_NAME.search(plain)))


def _replaced_credential(text: str, replace: Replace) -> str:
    """Replaces a credential but for the scheme before it; what is put together from references is none."""
    if "${" in text or "{{" in text or text == REDACTED:
        return _looked_through(text, replace)
    scheme = match[0] if (match := _SCHEME.match(text)) else ""
    secret = text[len(scheme) :]
    return scheme + replace(secret) if secret else text


def _looked_through(text: str, replace: Replace) -> str:
    """Replaces the parts of a text that look like credentials."""
    parts: list[str] = []
    end = 0
    for sealed in SEALED.finditer(text):
        parts += [_with_looks_replaced(text[end : sealed.start()], replace), sealed[0]]
        end = sealed.end()
    return "".join([*parts, _with_looks_replaced(text[end:], replace)])


def _with_looks_replaced(text: str, replace: Replace) -> str:
    found = [*_LOOKS.finditer(text), *_BEARER.finditer(text)]
    parts: list[str] = []
    end = 0
    for match in sorted(found, key=lambda match: match.start()):
        if match.start() >= end:
            parts += [text[end : match.start()], replace(match[0])]
            end = match.end()
    return "".join([*parts, text[end:]])


def _replaced_parameter(match: re.Match[str], replace: Replace) -> str:
    before, name, value = match.groups()
    if not _is_credential(name, header=True) or "${" in value or "{{" in value or value == REDACTED:
        return match[0]
    return f"{before}{name}={replace(value)}"


def _unsealed(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        return {key: _unsealed(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_unsealed(entry) for entry in value]
    return SEALED.sub(REDACTED, value) if isinstance(value, str) else value
