"""Checks a builtin and its parameters before anything runs, and names everything that is wrong."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from evalrpc_server.domain.errors import Violation
from evalrpc_server.evaluators.builtin.params import Params, own_first
from evalrpc_server.evaluators.builtin.registry import Builtin, Level
from evalrpc_server.evaluators.builtin.table import BUILTINS


def validate_builtin(name: str, params: Mapping[str, Any], level: Level) -> list[Violation]:
    """Returns all that is wrong with the use of a builtin; nothing if it can be used.

    The paths begin at the evaluator: `builtin.name`, `builtin.params.pattern`, `builtin.params.values[2]`.
    """
    builtin = BUILTINS.get(name)
    if builtin is None:
        return [Violation("builtin.name", _unknown(name, level))]
    violations = []
    if builtin.level is not level:
        violations.append(Violation("builtin.name", _wrong_level(builtin)))
    if not builtin.installed:
        violations.append(Violation("builtin.name", _not_installed(builtin)))
    try:
        builtin.params.model_validate(dict(params))
    except ValidationError as error:
        violations += [_violation(builtin, detail) for detail in error.errors(include_url=False)]
    return violations


def read_params(builtin: Builtin, params: Mapping[str, Any]) -> Params:
    """Returns the parameters of a builtin as its model.

    Raises:
        ValidationError: `validate_builtin` was not asked, or not listened to.
    """
    return builtin.params.model_validate(dict(params))


def _unknown(name: str, level: Level) -> str:
    if not name:
        return "is required: the name of a builtin, as listed by ListBuiltinEvaluators"
    names = [known.name for known in BUILTINS.values() if known.level is level]
    close = difflib.get_close_matches(name.casefold().replace("-", "_")[:100], names, n=1, cutoff=0.6)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"there is no builtin {name[:100]!r}; {hint}ListBuiltinEvaluators lists them"


def _wrong_level(builtin: Builtin) -> str:
    if builtin.level is Level.RUN:
        return f"{builtin.name} judges a whole run: use it under run_evaluators"
    return f"{builtin.name} judges single items: use it under evaluators, and mean or pass_rate of it under run_evaluators"


def _not_installed(builtin: Builtin) -> str:
    return (
        f"{builtin.name} needs what this server lacks: have it installed as evalrpc-server[{builtin.extra}]"
    )


def _violation(builtin: Builtin, detail: ErrorDetails) -> Violation:
    path = "builtin.params"
    for part in detail["loc"]:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return Violation(path, _description(builtin, detail))


def _description(builtin: Builtin, detail: ErrorDetails) -> str:
    kind = detail["type"]
    if kind == "missing":
        return f"is required by {builtin.name}"
    if kind == "extra_forbidden":
        fields = own_first(builtin.params)
        close = difflib.get_close_matches(str(detail["loc"][-1])[:100], fields, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        takes = f"takes {', '.join(fields) or 'none'}"
        return f"is no parameter of {builtin.name}; {hint}{'It' if hint else 'it'} {takes}"
    if kind == "value_error":
        return str(detail["ctx"]["error"])
    message = detail["msg"]
    if message.startswith("Input should be "):
        return "must be " + message.removeprefix("Input should be ")
    return message[0].lower() + message[1:]
