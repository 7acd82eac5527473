"""What a builtin may say of an output, besides a plain value."""

from __future__ import annotations

from msgspec import Struct

from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.domain.evaluations import Value


class Scored(Struct, frozen=True):
    """A value with an explanation.

    Attributes:
        comment: for people.
        metadata: a JSON value for programs; None for none.
    """

    value: Value
    comment: str = ""
    metadata: JsonValue = None


Verdict = Value | Scored


class Unscored(Exception):  # noqa: N818 - not an error: it says that there is nothing to judge
    """There is nothing to judge by: no expected output, or one of the wrong kind. The evaluation has no value."""


class WrongOutput(Exception):  # noqa: N818 - not an error of the evaluator
    """The output is not of the kind that is judged, which makes it wrong: false, or the lowest score."""


class CannotJudge(Exception):  # noqa: N818 - becomes the evaluation's error
    """Judging would cost too much or is impossible. The evaluation is an error; the message is for people."""
