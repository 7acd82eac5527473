"""One sample of a judge: asked, read, and where the answer is no verdict asked once more; never guessed."""

from __future__ import annotations

from collections.abc import Sequence

from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.evaluators.judge import parsing, prompts
from evalrpc_server.evaluators.judge.accounts import Account
from evalrpc_server.evaluators.judge.forms import Form
from evalrpc_server.evaluators.judge.models import ChatModel
from evalrpc_server.evaluators.judge.questions import Inquiry, Message
from evalrpc_server.evaluators.judge.verdicts import InvalidVerdictError, Sample, Verdict
from evalrpc_server.evaluators.port import EvaluatorError

_MAX_QUOTED = 500
_MAX_REPEATED = 20_000


async def sample(model: ChatModel, inquiry: Inquiry, account: Account) -> Sample:
    """Returns what a model says, or why it says nothing."""
    try:
        verdicts = [
            await _verdict(model, messages, inquiry.form, account) for messages in inquiry.conversations
        ]
    except EvaluatorError as failure:
        return Sample(model.spec.model, error=failure.error)
    return Sample(model.spec.model, inquiry.combine(verdicts))


async def _verdict(model: ChatModel, messages: Sequence[Message], form: Form, account: Account) -> Verdict:
    reply = await model.ask(messages, form, account)
    try:
        return form.read(parsing.read_answer(reply.text))
    except InvalidVerdictError as problem:
        if reply.cut_off:
            raise EvaluatorError(
                _invalid(model, "was cut off by its limit of tokens: raise max_tokens", reply.text)
            ) from None
        repair = prompts.REPAIR.format(problem=problem, schema=prompts.schema_text(form.schema))
    again = [
        *messages,
        {"role": "assistant", "content": reply.text[:_MAX_REPEATED]},
        {"role": "user", "content": repair},
    ]
    reply = await model.ask(again, form, account)
    try:
        return form.read(parsing.read_answer(reply.text))
    except InvalidVerdictError as problem:
        raise EvaluatorError(_invalid(model, f"{problem}, also when asked once more", reply.text)) from None


def _invalid(model: ChatModel, problem: str, answer: str) -> Error:
    name = model.spec.model
    return Error(
        reason=Reason.JUDGE_INVALID_ANSWER,
        message=f"The answer of the judge's model {name} is no verdict: it {problem}.",
        metadata={"model": name, "answer": answer[:_MAX_QUOTED]},
    )
