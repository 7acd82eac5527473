"""Reading an HTTP endpoint's answer by selectors and predicates."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from evalrpc_server.domain.documents import Document, JsonValue
from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.patterns import strip_matches
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.selectors import Selector, SelectorError
from evalrpc_server.domain.spec.http_task import HttpSelectors, HttpTask
from evalrpc_server.domain.usage import Usage
from evalrpc_server.outbound.endpoint import HttpEndpoint
from evalrpc_server.outbound.json_answers import InvalidAnswerError
from evalrpc_server.targets.answers import (
    checked_output,
    read_contexts,
    read_metadata,
    read_task_answer,
    read_usage,
)
from evalrpc_server.targets.port import TaskAnswer, TaskError

_MAX_QUOTED = 500
_encode = msgspec.json.Encoder().encode


class AnswerReader:
    """Turns answers of one task into results, or into the failures that they tell of.

    Args:
        spec: the task, with its selectors, its predicate and its patterns.
        endpoint: what answers, for errors.
    """

    def __init__(self, spec: HttpTask, endpoint: HttpEndpoint) -> None:
        self._endpoint = endpoint
        self._selects = spec.selectors is not None
        self._selectors = compiled_selectors(spec.selectors or HttpSelectors())
        self._success = optional_selector(spec.success)
        self._strip = spec.strip

    def read(self, text: Document) -> TaskAnswer:
        """Reads an answer.

        Args:
            text: valid JSON.

        Raises:
            TaskError: the answer tells of a failure.
            InvalidAnswerError: a part of it has the wrong shape.
            OutputTooLargeError: the output is above 1 MiB.
        """
        value = None
        if self._selects or self._success:
            value = parse(text)
            self.check(value)
        if not self._selects:
            return self._stripped(read_task_answer(text))
        selector = self._selectors.get("output")
        if selector is None:
            return self.with_output(text, value)
        output = select(selector, value, "output")
        if output is None:
            raise self.failed(
                "gave an answer in which the task's selectors.output finds nothing",
                value,
                reason=Reason.TASK_INVALID_ANSWER,
                field="output",
                description="is missing",
            )
        return self.with_output(_json(output), value)

    def check(self, value: JsonValue) -> None:
        """Looks whether an answer is one of success.

        Raises:
            TaskError: it tells of a failure.
            InvalidAnswerError: a selector cannot be applied to it.
        """
        said = self.message(value)
        if said is not None:
            raise self.failed(f"reports a failure: {said}")
        if self._success and not holds(self._success, value, "success"):
            raise self.failed("gave an answer that the task's success predicate does not hold for", value)

    def message(self, value: JsonValue) -> str | None:
        """Returns the message of an error in an answer; None where there is none.

        Raises:
            InvalidAnswerError: the selector cannot be applied to it.
        """
        selector = self._selectors.get("error")
        found = None if selector is None else select(selector, value, "error")
        if found is None:
            return None
        text = found if isinstance(found, str) else _encode(found).decode()
        return self._endpoint.excerpt(text.encode("utf-8"))[:_MAX_QUOTED].rstrip(". ")

    def failed(
        self,
        problem: str,
        value: JsonValue = None,
        *,
        reason: Reason = Reason.TASK_FAILED,
        **more: str,
    ) -> TaskError:
        """Makes the failure of an item that its answer tells of.

        Args:
            problem: what the endpoint did, to follow its address in a sentence.
            value: the answer, of which the beginning is kept.
            reason: why the item failed.
            more: the particulars, for programs.
        """
        metadata = {"endpoint": self._endpoint.origin, **more}
        if value is not None:
            metadata["body"] = self._endpoint.excerpt(_encode(value))
        return TaskError(
            Error(
                reason=reason,
                message=f"The task endpoint {self._endpoint.origin} {problem}.",
                metadata=metadata,
            )
        )

    def with_output(self, output: Document, value: JsonValue) -> TaskAnswer:
        """Returns the result of an output and of what the selectors find beside it.

        Raises:
            InvalidAnswerError: a part has the wrong shape.
            OutputTooLargeError: the output is above 1 MiB.
        """
        usage = {
            name: self._found(name, value)
            for name in ("input_tokens", "output_tokens", "cost_usd")
            if name in self._selectors
        }
        return self._stripped(
            TaskAnswer(
                output=checked_output(output),
                contexts=read_contexts(_raw(self._found("contexts", value))),
                usage=_known(read_usage(_raw(usage))) if usage else None,
                metadata=read_metadata(_raw(self._found("metadata", value))),
            )
        )

    def _found(self, name: str, value: JsonValue) -> JsonValue:
        selector = self._selectors.get(name)
        return None if selector is None else select(selector, value, name)

    def _stripped(self, answer: TaskAnswer) -> TaskAnswer:
        if not self._strip or not answer.output.startswith('"'):
            return answer
        text = strip_matches(msgspec.json.decode(answer.output, type=str), self._strip)
        return TaskAnswer(
            output=_json(text), contexts=answer.contexts, usage=answer.usage, metadata=answer.metadata
        )


def compiled_selectors(spec: HttpSelectors) -> Mapping[str, Selector]:
    """Returns the selectors that are given, by the names of their fields."""
    return {name: Selector(text) for name in type(spec).model_fields if (text := getattr(spec, name))}


def optional_selector(expression: str) -> Selector | None:
    """Compiles an expression; None for an empty one."""
    return Selector(expression) if expression else None


def select(selector: Selector, value: JsonValue, field: str) -> JsonValue:
    """Applies a selector.

    Raises:
        InvalidAnswerError: it cannot be applied.
    """
    try:
        return selector.find(value)
    except SelectorError as error:
        raise InvalidAnswerError(f"{field} selector", str(error)) from None


def holds(predicate: Selector, value: JsonValue, field: str) -> bool:
    """Applies a predicate.

    Raises:
        InvalidAnswerError: it cannot be applied.
    """
    try:
        return predicate.holds(value)
    except SelectorError as error:
        raise InvalidAnswerError(f"{field} predicate", str(error)) from None


def parse(text: Document | str) -> JsonValue:
    """Returns the value of an answer that is valid JSON.

    Raises:
        InvalidAnswerError: it holds a number that is out of range.
    """
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        raise InvalidAnswerError("body", "holds a number that is out of range") from None


def _json(value: JsonValue) -> Document:
    return Document(_encode(value).decode("utf-8"))


def _raw(value: JsonValue) -> msgspec.Raw:
    return msgspec.Raw(b"" if value is None else _encode(value))


def _known(usage: Usage | None) -> Usage | None:
    if usage is None or (usage.input_tokens, usage.output_tokens, usage.cost_usd) == (None, None, None):
        return None
    return usage
