"""What the targets of vendors' APIs share: calls whose answers of any status are read, and faults as errors of the item."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import httpx
import msgspec
from msgspec import Struct

from evalrpc_server.domain.documents import (
    MAX_DOCUMENT_BYTES,
    Document,
    DocumentTooLargeError,
    JsonValue,
    document_from_value,
)
from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.results import Context
from evalrpc_server.outbound.client import HttpResponse
from evalrpc_server.outbound.endpoint import HttpEndpoint
from evalrpc_server.outbound.exchange import Header
from evalrpc_server.outbound.outbound import Outbound
from evalrpc_server.outbound.retries import RETRYABLE_STATUSES, asked_wait
from evalrpc_server.outbound.tracing import baggage
from evalrpc_server.targets.answers import MAX_CONTEXTS
from evalrpc_server.targets.json_paths import number_at, text_at
from evalrpc_server.targets.port import TaskCall, TaskError

MAX_ANSWER_BYTES = 8 * MAX_DOCUMENT_BYTES
"""The largest answer: passages, and often the whole prompt, come with the output."""

MAX_QUOTED = 500
"""How many characters of an application's own message an error quotes."""


class Answer(Struct, frozen=True):
    """What an application answered.

    Attributes:
        endpoint: what was called.
        status: the HTTP status.
        headers: names in lower case.
        body: as it came.
        value: the body as JSON, without secrets; None where it is no JSON.
    """

    endpoint: HttpEndpoint
    status: int
    headers: Mapping[str, str]
    body: bytes
    value: JsonValue

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx, which alone says little."""
        return 200 <= self.status < 300


def vendor_endpoint(
    outbound: Outbound, url: str, *, api_key: str, headers: Mapping[str, str]
) -> HttpEndpoint:
    """Prepares calls that carry a key as a bearer token, unless the headers already say who calls."""
    given = {name.lower() for name in headers}
    key = {"authorization": f"Bearer {api_key}"} if api_key and "authorization" not in given else {}
    return outbound.endpoint(url, headers={**key, **headers})


def below(url: str, path: str) -> str:
    """Returns the URL of a path below a base URL, whose query stays."""
    base = httpx.URL(url)
    return str(base.copy_with(path=base.path.rstrip("/") + path))


def trace_headers(call: TaskCall) -> Sequence[Header]:
    """Returns the headers that let an application's own spans join the trace of an item."""
    return (
        (b"traceparent", call.traceparent.encode("ascii")),
        (b"baggage", baggage(call.experiment, call.item.id).encode("ascii")),
    )


async def ask(
    endpoint: HttpEndpoint,
    body: bytes,
    *,
    method: str = "POST",
    headers: Sequence[Header] = (),
    throttled: Callable[[bytes], bool] | None = None,
) -> Answer:
    """Makes a call and reads its answer, whatever the status.

    Args:
        endpoint: what is called.
        body: JSON.
        method: of the call.
        headers: beside those of the endpoint.
        throttled: tells a body that says that calls come too fast where the status does not.

    Raises:
        CallFailedError: there is no answer, or it is too large.
    """
    response = await endpoint.send(
        method,
        body,
        headers=headers,
        max_response_bytes=MAX_ANSWER_BYTES,
        any_status=True,
        throttled=throttled,
    )
    return read(response, endpoint)


def read(response: HttpResponse, endpoint: HttpEndpoint) -> Answer:
    """Reads what came of a call."""
    text = endpoint.redact_answer(response.body.decode("utf-8-sig", "replace"))
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        value = None
    return Answer(endpoint, response.status, response.headers, response.body, value)


def failed(
    endpoint: HttpEndpoint,
    problem: str,
    *,
    reason: Reason = Reason.TASK_FAILED,
    retryable: bool = False,
    retry_after: float | None = None,
    **metadata: str,
) -> TaskError:
    """Makes an item's failure.

    Args:
        endpoint: what was called.
        problem: what it did, to follow its address in a sentence; may quote the application, with `quoted`.
        reason: why the item failed.
        retryable: whether the same call may succeed later.
        retry_after: seconds that the endpoint asked to wait.
        metadata: the particulars, for programs.
    """
    known = {name: value for name, value in metadata.items() if value}
    error = Error(
        reason=reason,
        message=f"The task endpoint {endpoint.origin} {problem}.",
        metadata={"endpoint": endpoint.origin, **known},
        retryable=retryable,
    )
    return TaskError(error, retry_after=retry_after)


def quoted(endpoint: HttpEndpoint, text: str) -> str:
    """Returns the beginning of what an application said, without secrets, to end a sentence."""
    plain = endpoint.excerpt(text.encode("utf-8", "replace")).strip()
    cut = plain[: MAX_QUOTED - 1] + "…" if len(plain) > MAX_QUOTED else plain
    return cut.rstrip(". ") or "it does not say why"


def bad_status(
    answer: Answer,
    *,
    said: str = "",
    code: str = "",
    reason: Reason = Reason.TASK_HTTP_STATUS,
    retryable: bool | None = None,
) -> TaskError:
    """Makes the failure of a call whose status is not 2xx.

    Args:
        answer: with the status.
        said: the application's own message.
        code: the application's own word for the failure.
        reason: why the item failed.
        retryable: whether the same call may succeed later; by default what the status says.
    """
    endpoint = answer.endpoint
    if retryable is None:
        retryable = answer.status in RETRYABLE_STATUSES
    problem = f"answered with HTTP status {answer.status}{_advice(answer.status)}"
    return failed(
        endpoint,
        f"{problem}: {quoted(endpoint, said)}" if said else problem,
        reason=reason,
        retryable=retryable,
        retry_after=asked_wait(answer.headers) if retryable else None,
        status=str(answer.status),
        code=code,
        body=endpoint.excerpt(answer.body),
    )


def not_json(answer: Answer) -> TaskError:
    """Makes the failure of a call whose answer is no JSON."""
    return failed(
        answer.endpoint,
        f"answered {answer.status} with a body that is not JSON; check the URL",
        reason=Reason.TASK_INVALID_JSON,
        body=answer.endpoint.excerpt(answer.body),
    )


def invalid_answer(endpoint: HttpEndpoint, field: str, problem: str) -> TaskError:
    """Makes the failure of a call whose answer is of the wrong shape."""
    return failed(
        endpoint,
        f"gave an answer whose {field} {problem}",
        reason=Reason.TASK_INVALID_ANSWER,
        field=field,
        description=problem,
    )


def output_document(endpoint: HttpEndpoint, value: JsonValue) -> Document:
    """Writes an output.

    Raises:
        TaskError: it is above 1 MiB.
    """
    try:
        return document_from_value(value)
    except DocumentTooLargeError as error:
        raise failed(
            endpoint,
            f"answered with an output of {error.size_bytes} bytes of JSON; the limit is {MAX_DOCUMENT_BYTES} bytes",
            reason=Reason.PAYLOAD_TOO_LARGE,
            limit_bytes=str(MAX_DOCUMENT_BYTES),
            size_bytes=str(error.size_bytes),
        ) from None


def said_about_itself(**fields: JsonValue) -> Document | None:
    """Returns the metadata of an answer: what the application named; None where it named nothing."""
    known = {name: value for name, value in fields.items() if value not in (None, "", [], {})}
    return document_from_value(known) if known else None


class ContextShape(Struct, frozen=True, kw_only=True):
    """Under which names an application's passages have what; of several names the first that is there."""

    text: Sequence[str] = ("content",)
    id: Sequence[str] = ("id",)
    source: Sequence[str] = ("document_name",)
    score: str = "score"

    def read(self, passages: Iterable[JsonValue]) -> tuple[Context, ...]:
        """Returns the passages that have a text, at most 1,000, in their order."""
        contexts = [
            Context(
                text=text,
                id=_first(passage, self.id),
                source=_first(passage, self.source),
                score=number_at(passage, self.score),
            )
            for passage in passages
            if (text := _first(passage, self.text))
        ]
        return tuple(contexts[:MAX_CONTEXTS])


def _first(passage: JsonValue, names: Sequence[str]) -> str:
    return next((text for name in names if (text := text_at(passage, name))), "")


def _advice(status: int) -> str:
    match status:
        case 401 | 403:
            return "; check the key"
        case 404 | 405:
            return "; check the URL, the ids and the model"
        case _:
            return ""
