"""Whether a definition can start an experiment, as far as that can be told before a webhook does."""

from __future__ import annotations

from collections.abc import Mapping

from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.domain.errors import InvalidRequestError, Violation
from evalrpc_server.domain.spec.experiment import ExperimentSpec
from evalrpc_server.evaluators.acceptance import Level, find_violations
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

    def __init__(self, names: SpecNames, read_spec: SpecReader) -> None:
        self._names = names
        self._read_spec = read_spec

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
                violations += _evaluator_violations(spec)
        if violations:
            raise InvalidRequestError(violations)
        return fields


def _evaluator_violations(spec: ExperimentSpec) -> list[Violation]:
    """Returns what is wrong with evaluators; one that is referred to may be registered later, and is not looked at."""
    places = [
        *((f"evaluators[{number}]", each, Level.ITEM) for number, each in enumerate(spec.evaluators)),
        *((f"run_evaluators[{number}]", each, Level.RUN) for number, each in enumerate(spec.run_evaluators)),
    ]
    if spec.composite_evaluator:
        places.append(("composite_evaluator", spec.composite_evaluator, Level.ITEM))
    return [
        Violation(f"{place}.{each.path}", each.description)
        for place, evaluator, level in places
        if evaluator.registered is None
        for each in find_violations(evaluator, level)
    ]
