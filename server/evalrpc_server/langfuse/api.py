"""Calls to Langfuse's public API for one project: identity, budgets, and what an answer means for the caller."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection, Mapping
from typing import Any

import httpx
import msgspec
from msgspec import Struct

from evalrpc_server import __version__
from evalrpc_server.domain.clock import Clock, SystemClock
from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.langfuse.budgets import Budgets, resource_of
from evalrpc_server.langfuse.patience import patience_left
from evalrpc_server.langfuse.projects import Project
from evalrpc_server.outbound.body import ACCEPT_ENCODING
from evalrpc_server.outbound.client import HttpClient, HttpRequest
from evalrpc_server.outbound.exchange import Header
from evalrpc_server.outbound.failures import CallFailedError, Failure
from evalrpc_server.outbound.retries import RETRYABLE_STATUSES, parse_retry_after
from evalrpc_server.outbound.secrets import Secrets

MAX_ANSWER_BYTES = 64 * 1024 * 1024
"""The largest answer; whoever reads pages asks for smaller ones when one is larger."""

_EXCERPT = 500
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 60.0


class Answer(Struct, frozen=True):
    """What Langfuse answered; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> JsonValue:
        """Returns the body's value.

        Raises:
            ApiError: the body is no JSON.
        """
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise ApiError(
                "answered with something that is not JSON; check its base URL", status=self.status
            ) from None


class ApiError(Exception):
    """Langfuse did not do what was asked.

    Attributes:
        status: of the answer; 0 where there was none.
        message: what it did, to follow "Langfuse" in a sentence; holds no secret.
        text: Langfuse's own words, shortened; may be empty.
        retryable: whether the same request may succeed later.
        retry_after: seconds that Langfuse asked to wait; None where it did not.
        sent: whether Langfuse may have carried the request out nevertheless.
        too_large: whether the answer was above `MAX_ANSWER_BYTES`, or above Langfuse's own limit.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        text: str = "",
        retryable: bool = False,
        retry_after: float | None = None,
        sent: bool = False,
        too_large: bool = False,
    ) -> None:
        super().__init__(f"Langfuse {message}")
        self.message = message
        self.status = status
        self.text = text
        self.retryable = retryable
        self.retry_after = retry_after
        self.sent = sent
        self.too_large = too_large or status == 413

    @property
    def refuses_keys(self) -> bool:
        """Whether the project's keys are wrong, which no other record or request would change."""
        return self.status in {401, 403}

    def as_error(self, project: str) -> Error:
        """Returns the failure as data."""
        passing = self.retryable or self.refuses_keys
        return Error(
            reason=Reason.LANGFUSE_UNAVAILABLE if passing else Reason.LANGFUSE_REJECTED,
            message=f"Langfuse {self.message}.",
            metadata={"project": project} | ({"status": str(self.status)} if self.status else {}),
            retryable=self.retryable,
        )


class LangfuseApi:
    """Sends requests for one project. All that talk to the project share one, and with it the budgets.

    Args:
        project: whose keys are used.
        client: sends the requests.
        secrets: what is scrubbed from Langfuse's own words.
        clock: for waiting.
        uniform: the source of jitter.
    """

    def __init__(
        self,
        project: Project,
        client: HttpClient,
        secrets: Secrets,
        *,
        clock: Clock | None = None,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.project = project
        self._client = client
        self._secrets = secrets
        self._clock = clock or SystemClock()
        self._uniform = uniform
        self._budgets = Budgets(self._clock)
        self._headers: tuple[Header, ...] = (
            (b"accept", b"application/json"),
            (b"accept-encoding", ACCEPT_ENCODING.encode()),
            (b"user-agent", f"evalrpc-server/{__version__}".encode()),
            (b"x-langfuse-sdk-name", b"evalrpc"),
            (b"x-langfuse-sdk-version", __version__.encode()),
            (b"x-langfuse-public-key", project.public_key.encode("ascii")),
        )

    def __repr__(self) -> str:
        return f"LangfuseApi({self.project.name})"

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        json: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float | None = None,
        expected: Collection[int] = (),
    ) -> Answer:
        """Sends one request and returns its answer. It waits for the budget first, however long that takes; see `patience_of`.

        Args:
            method: of HTTP.
            path: below the base URL, such as `/api/public/projects`; names in it are percent-encoded already.
            params: of the query.
            json: the body as a value; None for none.
            content: the body as bytes, with its `Content-Type` among the headers.
            headers: more headers.
            seconds: for the exchange; default: the project's `timeout`.
            expected: statuses besides 2xx that are answers to the caller, and no errors.

        Raises:
            ApiError: there is no answer, or it is neither 2xx nor expected, or the budget is used up for too long.
        """
        resource = resource_of(path)
        if (wait := self._budgets.wait(resource)) > patience_left():
            raise ApiError(
                f"takes no more requests of this kind for {wait:.0f} s (rate limit)",
                status=429,
                retryable=True,
                retry_after=wait,
            )
        await self._budgets.admit(resource)
        answer = await self._exchange(
            self._prepared(method, path, params, json, content, headers), seconds or self.project.timeout
        )
        self._budgets.note(resource, answer.status, answer.headers)
        if 200 <= answer.status < 300 or answer.status in expected:
            return answer
        raise self._refusal(answer)

    async def retried(self, method: str, path: str, *, attempts: int = 5, **arguments: Any) -> Answer:
        """Sends a request that changes nothing, again after passing failures; takes what `request` takes.

        Raises:
            ApiError: the last attempt failed, or trying again is of no use, or would come too late.
        """
        attempt = 1
        while True:
            try:
                return await self.request(method, path, **arguments)
            except ApiError as error:
                pause = self.pause(attempt, error.retry_after)
                if not error.retryable or attempt >= attempts or pause > patience_left():
                    raise
                await self._clock.sleep(pause)
            attempt += 1

    async def wait(self, failures: int, retry_after: float | None = None) -> None:
        """Waits after so many failures in a row, see `pause`."""
        await self._clock.sleep(self.pause(failures, retry_after))

    def pause(self, failures: int, retry_after: float | None = None) -> float:
        """Returns the seconds to wait after so many failures in a row: exponential, with jitter, at most a minute."""
        longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(failures - 1, 20))
        return max(self._uniform(longest / 2, longest), retry_after or 0.0)

    def _prepared(
        self,
        method: str,
        path: str,
        params: Mapping[str, str | int] | None,
        json: Any,
        content: bytes | None,
        headers: Mapping[str, str] | None,
    ) -> HttpRequest:
        url = (
            httpx.URL(f"{self.project.base_url}{path}", params=params)
            if params
            else httpx.URL(f"{self.project.base_url}{path}")
        )
        given = [
            (name.lower().encode("ascii"), value.encode("ascii")) for name, value in (headers or {}).items()
        ]
        if json is not None:
            content = msgspec.json.encode(json)
            given.append((b"content-type", b"application/json"))
        return HttpRequest(
            url=url,
            method=method,
            headers=(*self._headers, *given),
            private_headers=((b"authorization", self.project.authorization.encode("ascii")),),
            body=content or b"",
            max_response_bytes=MAX_ANSWER_BYTES,
            any_status=True,
        )

    async def _exchange(self, request: HttpRequest, seconds: float) -> Answer:
        deadline = asyncio.timeout(seconds)
        try:
            async with deadline:
                response = await self._client.send(request)
        except TimeoutError:
            if not deadline.expired():
                raise
            raise ApiError(f"did not answer within {seconds:g} s", retryable=True, sent=True) from None
        except CallFailedError as error:
            unreached = error.failure in {Failure.UNREACHABLE, Failure.REFUSED}
            raise ApiError(
                f"({error.endpoint}) {error.message.rstrip('.')}",
                retryable=error.failure is not Failure.TOO_LARGE,
                retry_after=error.retry_after,
                sent=not unreached,
                too_large=error.failure is Failure.TOO_LARGE,
            ) from None
        return Answer(response.status, response.headers, response.body)

    def _refusal(self, answer: Answer) -> ApiError:
        status = answer.status
        retryable = status in RETRYABLE_STATUSES or status >= 500
        text = self._secrets.redact_answer(_own_words(answer))[:_EXCERPT]
        advice = {401: "; check the project's keys", 403: "; its keys must be those of a project"}.get(
            status, ""
        )
        return ApiError(
            f"answered with HTTP status {status}{advice}{f': {text}' if text else ''}",
            status=status,
            text=text,
            retryable=retryable,
            retry_after=parse_retry_after(answer.headers.get("retry-after")) if retryable else None,
            sent=status >= 500 or status == 408,
        )


def _own_words(answer: Answer) -> str:
    """Returns what an error answer says, in one line."""
    text = answer.body[: 16 * 1024].decode("utf-8", "replace")
    if "html" in answer.headers.get("content-type", ""):
        return ""
    try:
        body = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        body = None
    if isinstance(body, dict) and isinstance(message := body.get("message"), str):
        text = message
        if isinstance(issues := body.get("error"), list):
            text += "; " + "; ".join(_issue(issue) for issue in issues[:3])
    return " ".join(text.split()).rstrip(".")


def _issue(issue: Any) -> str:
    if not isinstance(issue, dict):
        return str(issue)
    place = issue.get("path")
    path = ".".join(map(str, place)) if isinstance(place, list) else ""
    return f"{path}: {issue.get('message')}" if path else str(issue.get("message"))
