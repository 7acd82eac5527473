"""What templates of tasks are filled in with, and what comes of it where that fails."""

from __future__ import annotations

import msgspec

from evalrpc_server.domain.documents import Document, JsonValue, parse_document
from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.experiments import ExperimentRef
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.templates import TemplateError
from evalrpc_server.targets.port import TaskCall, TaskError

_NULL = Document("null")
_encode = msgspec.json.Encoder().encode


class ItemScope:
    """Makes the values that templates may use of each call; for one experiment, as a target is.

    Args:
        include_expected_output: whether the expected output is among them.
    """

    def __init__(self, *, include_expected_output: bool = False) -> None:
        self._include_expected_output = include_expected_output
        self._experiment: tuple[ExperimentRef, Document] | None = None

    def of(self, call: TaskCall) -> dict[str, Document]:
        """Returns the values of a call by the names that paths begin with."""
        item = call.item
        scope = {
            "input": _stripped(item.input),
            "metadata": _NULL if item.metadata is None else _stripped(item.metadata),
            "item_id": _json(item.id),
            "trial": Document(str(call.trial)),
            "experiment": self._experiment_document(call.experiment),
            "trace_id": _json(call.trace_id),
        }
        if self._include_expected_output and item.expected_output is not None:
            scope["expected_output"] = _stripped(item.expected_output)
        return scope

    def _experiment_document(self, experiment: ExperimentRef) -> Document:
        if self._experiment is None or self._experiment[0] is not experiment:
            fields = {"id": experiment.id, "name": experiment.name, "run_name": experiment.run_name}
            self._experiment = (experiment, _json(fields))
        return self._experiment[1]


def template_failed(error: TemplateError, field: str) -> TaskError:
    """Makes the failure of an item of a template that cannot be filled in with its values.

    Args:
        error: what is wrong.
        field: the template's place in the task, such as `http.body`.
    """
    return TaskError(
        Error(
            reason=Reason.TEMPLATE_FAILED,
            message=f"The template {field} cannot be filled in: {error.placeholder} {error.problem}.",
            metadata={
                "field": f"experiment.task.{field}",
                "placeholder": error.placeholder.strip("{} "),
            },
        )
    )


def item_value(document: Document, field: str) -> JsonValue:
    """Returns the value of a document of an item, or of one that was made of it.

    Args:
        document: valid JSON.
        field: the place in the task that needs it, such as `dify.inputs`.

    Raises:
        TaskError: it cannot be read as a value.
    """
    try:
        return parse_document(document)
    except (msgspec.DecodeError, RecursionError):
        problem = "holds a number that is out of range, or is nested too deep"
        raise template_failed(TemplateError("input", problem), field) from None


def _stripped(document: Document) -> Document:
    return Document(document.strip(" \t\r\n"))


def _json(value: str | dict[str, str]) -> Document:
    return Document(_encode(value).decode())
