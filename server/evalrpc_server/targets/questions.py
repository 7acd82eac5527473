"""What an item asks: the question that is put to an application, from a template or from the input alone."""

from __future__ import annotations

from collections.abc import Mapping

from evalrpc_server.domain.documents import Document
from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.templates import TemplateError, TextTemplate, document_text
from evalrpc_server.targets.port import TaskError
from evalrpc_server.targets.templates import item_value, template_failed

QUESTION_MEMBERS = ("query", "question", "input", "text", "user_input")
"""Where an input that is an object has its question, in the order of preference."""


class Question:
    """Makes the question of a call.

    Args:
        template: of the question; empty for the input's own.
        field: the template's place in the task, such as `dify.query`.
    """

    def __init__(self, template: str, *, field: str) -> None:
        self._template = TextTemplate(template) if template else None
        self._field = field

    def of(self, scope: Mapping[str, Document]) -> str:
        """Returns the question of the call with these values.

        Raises:
            TaskError: the template cannot be filled in, or the input cannot be read, or is an object without any
                of the known members.
        """
        if self._template is None:
            return self._own(scope["input"])
        try:
            return self._template.render(scope)
        except TemplateError as error:
            raise template_failed(error, self._field) from None

    def _own(self, given: Document) -> str:
        if not given.startswith("{"):
            return document_text(given)
        members = item_value(given, self._field)
        for name in QUESTION_MEMBERS:
            if isinstance(text := members.get(name), str) and text:
                return text
        raise TaskError(
            Error(
                reason=Reason.TEMPLATE_FAILED,
                message=f"The item's input is an object without a text at {', '.join(QUESTION_MEMBERS[:-1])} or "
                f"{QUESTION_MEMBERS[-1]}; set experiment.task.{self._field} to a template such as {{{{input.NAME}}}}.",
                metadata={"field": f"experiment.task.{self._field}", "placeholder": "input"},
            )
        )
