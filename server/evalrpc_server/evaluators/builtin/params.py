"""Parameters of builtins: the base model and the groups that several of them share."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from evalrpc_server.domain.spec.fields import HttpUrl
from evalrpc_server.evaluators.builtin.pointers import check_pointer
from evalrpc_server.outbound.secrets import REFERENCE


class Params(BaseModel):
    """Base of all parameters: strict about kinds, and nothing unknown is let through."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class NoParams(Params):
    """For a builtin that takes none."""


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


AS_WHOLE = BeforeValidator(_whole)
"""Lets `3.0` be a whole number, since protobuf's Struct knows only floating-point numbers; comes after the limits."""

Finite = Annotated[float, Field(allow_inf_nan=False)]
"""A number that is neither infinite nor NaN."""

Pointer = Annotated[str, Field(max_length=1000), AfterValidator(check_pointer)]
"""A JSON pointer; empty for the whole document."""

Words = Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1, max_length=1000)]
"""A list of texts, none of them empty."""


def _reference(value: str) -> str:
    if value and not REFERENCE.fullmatch(value):
        raise ValueError("must be a secret by reference, ${secret:NAME}, whose value the server has")
    return value


class Model(Params):
    """For a builtin that asks a model behind an OpenAI-compatible API."""

    base_url: HttpUrl = Field(
        default="https://api.openai.com/v1", description="The base URL of an OpenAI-compatible API."
    )
    api_key: Annotated[str, AfterValidator(_reference)] = Field(
        default="",
        description="The API's key as a secret by reference, `${secret:NAME}`; default: none is sent.",
    )


class OfOutput(Params):
    """For a builtin that looks at the output."""

    output_path: Pointer = Field(
        default="",
        description=(
            "JSON pointer (RFC 6901) to the part of the output to look at, such as /answer; default: the whole output. "
            "A text output that holds JSON, also in a code fence, is read for this."
        ),
    )


class Comparing(OfOutput):
    """For a builtin that compares the output with the expected output."""

    expected_path: Pointer = Field(
        default="",
        description="JSON pointer (RFC 6901) to the part of expected_output to compare with; default: the whole.",
    )


class Negatable(Params):
    """For a builtin that answers true or false."""

    negate: bool = Field(
        default=False,
        description="Turn the answer round: true where it would be false. An output of the wrong kind stays false.",
    )


class TextOptions(Params):
    """How two texts are made comparable."""

    ignore_case: bool = Field(
        default=False,
        description="Compare without regard to case, by Unicode case folding: STRASSE equals straße.",
    )
    strip: bool = Field(default=False, description="Ignore white space at both ends.")
    normalize: Literal["NFC", "NFKC", "none"] = Field(
        default="NFC",
        description=(
            "Unicode normalisation: NFC makes canonically equivalent texts equal (é as one or two code points); "
            "NFKC also ignores compatibility forms (full-width letters, ligatures); none compares code points."
        ),
    )


def own_first(model: type[Params]) -> list[str]:
    """Returns the names of a model's parameters, its own before those that it shares with others."""
    own = [name for name in model.model_fields if name in model.__annotations__]
    names = own + [name for name in model.model_fields if name not in own]
    return [model.model_fields[name].alias or name for name in names]
