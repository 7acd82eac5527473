"""Bearer tokens: who may call, by a file that holds their hashes.

The file is YAML and is read again when it changes, so a token is revoked by removing it:

    tokens:
      - name: ci                  # appears in logs
        sha256: 9f86d081884c...   # of the token; `make_token` makes both
        max_open_rpcs: 50         # optional
        rpcs_per_second: 20       # optional
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

logger = logging.getLogger(__name__)

_PREFIX = "evr_"
_LOOK_SECONDS = 1.0  # how long the file is trusted before it is looked at again


class TokensError(Exception):
    """The file cannot be used; the message says why, and holds none of its hashes."""


class Token(BaseModel):
    """One caller.

    Attributes:
        name: appears in logs.
        sha256: of the token, in hex.
        max_open_rpcs: how many RPCs it may have open at once; None for as many as the server allows.
        rpcs_per_second: how many RPCs it may start; None for any number.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._@-]{1,64}$")]
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$", to_lower=True)]
    max_open_rpcs: Annotated[int, Field(ge=1)] | None = None
    rpcs_per_second: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    tokens: Annotated[list[Token], Field(min_length=1)]

    @model_validator(mode="after")
    def _check_names(self) -> _File:
        names = [token.name for token in self.tokens]
        if repeated := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"tokens share the name {min(repeated)}")
        return self


class Tokens:
    """The tokens of a file.

    Raises:
        TokensError: the file cannot be read, or is not of the form above.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = _stamp(path)
        self._tokens = _read(path)
        self._looked = time.monotonic()

    def find(self, presented: str) -> Token | None:
        """Returns the token that was presented, or None. Takes as long for a wrong one as for a right one."""
        self._look()
        digest = hashlib.sha256(presented.encode("utf-8", "replace")).hexdigest()
        found = None
        for token in self._tokens:
            if hmac.compare_digest(token.sha256, digest):
                found = token
        return found

    def _look(self) -> None:
        """Reads the file again where it has changed; one that has become unusable leaves the tokens as they were."""
        if time.monotonic() - self._looked < _LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        if (stamp := _stamp(self._path)) == self._stamp:
            return
        self._stamp = stamp
        try:
            self._tokens = _read(self._path)
        except TokensError as error:
            logger.error("the tokens stay as they were: %s", error)  # noqa: TRY400  the sentence says it all
        else:
            logger.info("read the tokens again", extra={"names": [token.name for token in self._tokens]})


class TokenRates:
    """How many calls each token has started, over gRPC and HTTP together."""

    def __init__(self) -> None:
        self._rates: dict[str, _Rate] = {}

    def take(self, token: Token) -> float:
        """Takes one start and returns 0, or returns the seconds until there is one."""
        if token.rpcs_per_second is None:
            return 0.0
        rate = self._rates.get(token.name)
        if rate is None or rate.per_second != token.rpcs_per_second:
            rate = self._rates[token.name] = _Rate(token.rpcs_per_second)
        return rate.take()


class _Rate:
    """A token bucket that holds the starts of one second, and at least one."""

    def __init__(self, per_second: float) -> None:
        self.per_second = per_second
        self._left = self._most = max(1.0, per_second)
        self._time = time.monotonic()

    def take(self) -> float:
        """Takes one start and returns 0, or returns the seconds until there is one."""
        now = time.monotonic()
        self._left = min(self._most, self._left + (now - self._time) * self.per_second)
        self._time = now
        if self._left < 1:
            return (1 - self._left) / self.per_second
        self._left -= 1
        return 0.0


def make_token() -> tuple[str, str]:
    """Returns a new token of 256 random bits, and the hash to be kept of it."""
    token = _PREFIX + secrets.token_urlsafe(32)
    return token, hashlib.sha256(token.encode()).hexdigest()


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _read(path: Path) -> Sequence[Token]:
    try:
        return _File.model_validate(yaml.safe_load(path.read_text(encoding="utf-8"))).tokens
    except OSError as error:
        raise TokensError(f"{path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise TokensError(f"{path} is not YAML in UTF-8") from error
    except ValidationError as error:
        problem = error.errors(include_input=False)[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise TokensError(f"{path}: {where}: {problem['msg']}".replace(": :", ":")) from error
