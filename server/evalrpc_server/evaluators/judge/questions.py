"""What a judge asks about a case: the messages, the form of the answer, and how the answers make a verdict."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from evalrpc_server.domain.documents import Document
from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.spec.judges import JudgeEvaluator, JudgePreset
from evalrpc_server.domain.templates import TemplateError, TextTemplate
from evalrpc_server.evaluators.judge import forms, prompts
from evalrpc_server.evaluators.judge.forms import Form
from evalrpc_server.evaluators.judge.prompts import Prompt
from evalrpc_server.evaluators.judge.verdicts import Verdict
from evalrpc_server.evaluators.port import Case, EvaluatorError

Message = dict[str, str]
"""One message of a conversation, `role` and `content`."""

ROOTS = ("rubric", "input", "output", "expected_output", "contexts", "metadata")
"""What the paths of a judge's template may begin with."""

PAIR_ROOTS = ("rubric", "input", "first", "second", "expected_output", "contexts", "metadata")
"""The same where two outputs are compared."""

_encode = msgspec.json.Encoder().encode
_Material = dict[str, Document]
_Worded = tuple[Form, str, Sequence[str]]
_PRESETS: Mapping[JudgePreset, Callable[[Case], _Worded]] = {
    JudgePreset.FAITHFULNESS: lambda _: (
        forms.statements_form(),
        prompts.FAITHFULNESS,
        ("input", "output", "contexts"),
    ),
    JudgePreset.ANSWER_RELEVANCE: lambda _: (
        forms.score_form(0, 1),
        prompts.ANSWER_RELEVANCE,
        ("input", "output"),
    ),
    JudgePreset.CONTEXT_PRECISION: lambda case: (
        forms.contexts_form(len(case.contexts)),
        prompts.CONTEXT_PRECISION,
        ("input", "expected_output", "contexts"),
    ),
}
"""What a preset asks for: the form of the answer, the criterion, and what is shown."""


class NothingToJudgeError(Exception):
    """The case has nothing to judge by. The message is why it is unscored."""


class Inquiry(Struct, frozen=True):
    """What one sample takes: one conversation, or two where outputs are compared in both orders.

    Attributes:
        prompt: what is recorded of the words.
        form: what each answer has to look like.
        conversations: the messages of each.
        combine: makes one verdict of one for each conversation.
    """

    prompt: Prompt
    form: Form
    conversations: Sequence[Sequence[Message]]
    combine: Callable[[Sequence[Verdict]], Verdict]


class Inquirer:
    """Puts cases into words.

    Args:
        spec: of the judge.

    Raises:
        TemplateSyntaxError: its template is malformed.
    """

    def __init__(self, spec: JudgeEvaluator) -> None:
        self._spec = spec
        self._template = TextTemplate(spec.prompt) if spec.prompt else None

    def inquire(self, case: Case, other: Document | None = None) -> Inquiry:
        """Returns what to ask about a case.

        Args:
            case: what is judged.
            other: what its output is compared with, by a judge that compares.

        Raises:
            NothingToJudgeError: it lacks what the criterion needs.
            EvaluatorError: the template cannot be filled in.
        """
        material = _material(case)
        if self._spec.preset is not None:
            return self._preset(self._spec.preset, case, material)
        if self._spec.pairwise is None:
            form = self._form()
            messages = self._messages(prompts.ROLE, form, material)
            return Inquiry(self._prompt(prompts.ROLE, form), form, [messages], _only)
        if other is None:
            raise NothingToJudgeError("there is no other output to compare with")
        form, role = forms.pair_form(), f"{prompts.ROLE}\n\n{prompts.PAIR}"
        own = material.pop("output")
        both = [
            self._messages(role, form, {**material, "first": first, "second": second})
            for first, second in ((own, other), (other, own))
        ]
        return Inquiry(self._prompt(role, form), form, both, _consistent)

    def _form(self) -> Form:
        if self._spec.labels:
            return forms.label_form(self._spec.labels.labels)
        return forms.boolean_form() if self._spec.boolean else forms.score_form(*self._spec.range)

    def _preset(self, preset: JudgePreset, case: Case, material: _Material) -> Inquiry:
        form, rubric, shown = _PRESETS[preset](case)
        if "contexts" in shown and not case.contexts:
            raise NothingToJudgeError("the task gave no contexts")
        if absent := [name for name in shown if name not in material]:
            raise NothingToJudgeError(f"the item has no {absent[0]}")
        messages = _own_messages(prompts.ROLE, form, rubric, {name: material[name] for name in shown})
        prompt = prompts.own_prompt(form, prompts.ROLE, rubric, prompts.schema_text(form.schema))
        return Inquiry(prompt, form, [messages], _only)

    def _messages(self, role: str, form: Form, material: _Material) -> list[Message]:
        if self._template is None:
            return _own_messages(role, form, self._spec.rubric, material)
        scope = {"rubric": Document(_encode(self._spec.rubric).decode()), **material}
        system = prompts.instructions(prompts.CUSTOM, form)
        return [_message("system", system), _message("user", _filled(self._template, scope))]

    def _prompt(self, role: str, form: Form) -> Prompt:
        schema = prompts.schema_text(form.schema)
        if self._template is None:
            return prompts.own_prompt(form, role, self._spec.rubric, schema)
        return prompts.custom_prompt(prompts.CUSTOM, self._spec.prompt, self._spec.rubric, schema)


def _material(case: Case) -> _Material:
    item = case.item
    found: Mapping[str, Document | None] = {
        "input": item.input,
        "output": case.output,
        "expected_output": item.expected_output,
        "metadata": item.metadata,
        "contexts": _contexts(case) if case.contexts else None,
    }
    return {name: Document(text.strip()) for name, text in found.items() if text is not None}


def _contexts(case: Case) -> Document:
    numbered: list[dict[str, Any]] = [
        {"number": number, "text": context.text} for number, context in enumerate(case.contexts, 1)
    ]
    return Document(_encode(numbered).decode())


def _own_messages(role: str, form: Form, rubric: str, material: _Material) -> list[Message]:
    """Sends the material as JSON: a document cannot end where it pleases, and what it says stays a string."""
    members = ",\n".join(
        f"{json.dumps(name)}: {text}" for name, text in material.items() if name != "metadata"
    )
    asked = f"Criterion:\n{rubric.strip()}\n\nMaterial, as JSON:\n{{{members}}}"
    return [_message("system", prompts.instructions(role, form)), _message("user", asked)]


def _filled(template: TextTemplate, scope: _Material) -> str:
    for placeholder in template.placeholders:
        absent = placeholder.root not in scope and placeholder.root in {*ROOTS, *PAIR_ROOTS}
        if absent and not placeholder.optional:
            whose = "task gave" if placeholder.root == "contexts" else "item has"
            raise NothingToJudgeError(f"the {whose} no {placeholder.root}")
    try:
        return template.render(scope)
    except TemplateError as error:
        raise EvaluatorError(
            Error(
                reason=Reason.TEMPLATE_FAILED,
                message=f"The judge's prompt cannot be filled in: {error.placeholder} {error.problem}.",
                metadata={"placeholder": error.placeholder.strip("{} ")},
            )
        ) from None


def _message(role: str, content: str) -> Message:
    return {"role": role, "content": content}


def _only(verdicts: Sequence[Verdict]) -> Verdict:
    return verdicts[0]


def _consistent(verdicts: Sequence[Verdict]) -> Verdict:
    """Returns 1 where the item's own output wins in both orders, 0 where the other one does, else 0.5: a tie."""
    as_first, as_second = verdicts
    if (as_first.value, as_second.value) == (forms.FIRST, forms.SECOND):
        value = 1.0
    elif (as_first.value, as_second.value) == (forms.SECOND, forms.FIRST):
        value = 0.0
    else:
        value = 0.5
    changed = value == 0.5 and as_first.value == as_second.value != forms.TIE
    note = "the verdict changes with the order: a tie. " if changed else ""
    return Verdict(value, note + as_first.reasoning)
