"""What goes wrong with a call is an exception with a reason; what goes wrong with an item is data."""

from __future__ import annotations

from typing import Any

from evalrpc import Client, InvalidRequestError, NotFoundError, RetryableError, ServerUnreachableError

attempts = 0


def moody(*, item: Any) -> str:
    """Fails for good, or for now."""
    global attempts  # noqa: PLW0603 - counts over calls
    attempts += 1
    if item.input == "never":
        raise ValueError("no such country")
    if attempts < 4:
        raise RetryableError("not now")
    return "fine"


with Client() as client:
    try:
        client.start(name="", data=[], task="ftp://example.org")
    except InvalidRequestError as error:
        print([violation.path for violation in error.violations])
    try:
        client.get("exp_none")
    except NotFoundError as error:
        print(error.reason, error.metadata)
    data = [{"input": "later"}, {"input": "never"}]
    result = client.run_experiment(name="Failing", data=data, task=moody, max_concurrency=1, retry=5)
    for each in result.item_results:
        print(each.output, each.attempts > 1, each.error)

with Client("localhost:1") as client:
    try:
        client.get("exp_none")
    except ServerUnreachableError as error:
        print(type(error).__name__, error.code)
