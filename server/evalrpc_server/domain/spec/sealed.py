"""Specs as they are stored: written-out credentials sealed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from pydantic import BaseModel

from evalrpc_server.domain.credentials import SEALED, Replace, redact_credentials, replace_credentials

Model = TypeVar("Model", bound=BaseModel)


def sealed_values(specs: Iterable[BaseModel]) -> frozenset[str]:
    """Returns the sealed values in specs, as they stand there."""
    return frozenset(value for spec in specs for value in SEALED.findall(spec.model_dump_json()))


def sealed_spec(spec: Model, seal: Replace) -> Model:
    """Returns a spec with every written-out credential sealed.

    An experiment's metadata goes to every trace and to no endpoint: there a credential is not kept at all.

    Args:
        spec: of an experiment or an evaluator.
        seal: returns a reference to a value, in which the value is sealed.
    """
    fields = spec.model_dump(mode="json", exclude_none=True)
    replaced = replace_credentials(fields, seal)
    if "metadata" in fields:
        replaced["metadata"] = redact_credentials({"metadata": fields["metadata"]})["metadata"]
    return spec if replaced == fields else type(spec).model_validate(replaced)
