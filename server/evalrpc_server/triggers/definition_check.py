"""Whether a definition can start an experiment, as far as that can be told before a webhook does."""

from __future__ import annotations

from collections.abc import Mapping

from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.domain.errors import InvalidRequestError, Violation
from evalrpc_server.runner.acceptance import Acceptance
from evalrpc_server.triggers.merging import merged
from evalrpc_server.triggers.planning import SpecNames
from evalrpc_server.triggers.trigger import SpecReader

_SOMETHING: Mapping[str, JsonValue] = {
    "name": "-",
    "langfuse_dataset": {"name": "-"},
}
"""Stands for what the webhook brings."""

_SOME_TASK: Mapping[str, JsonValue] = {"worker": {"function": "-"}}
_OTHER_DATA = ("items", "upload")


class DefinitionCheck:
    """Checks the members of a definition; what a webhook may bring, the task among it, may be missing."""

    def __init__(self, names: SpecNames, read_spec: SpecReader, acceptance: Acceptance) -> None:
        self._names = names
        self._read_spec = read_spec
        self._acceptance = acceptance

    async def __call__(self, members: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
        """Returns the members in the contract's own way of writing.

        Raises:
            InvalidRequestError: something is wrong; all of it is told.
        """
        fields = self._names.read(members, "")
        problem = "is not for definitions: the webhook names the dataset"
        violations = [Violation(name, problem) for name in _OTHER_DATA if name in fields]
        if not violations:
            spec, violations = self._read_spec(
                merged({"task": _SOME_TASK, **_SOMETHING} if "task" not in fields else _SOMETHING, fields), ""
            )
            if spec is not None:
                found = await self._acceptance.find_violations(
                    spec.evaluators, spec.composite_evaluator, spec.run_evaluators, path=""
                )
                # An evaluator may be registered after the definition was written.
                found = [each for each in found if not each.path.endswith(".registered")]
                violations += [Violation(each.path.removeprefix("."), each.description) for each in found]
        if violations:
            raise InvalidRequestError(violations)
        return fields
