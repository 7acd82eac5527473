"""The request bodies and what the server refuses about them.

Every model lists the known fields with their strict types; unknown fields are ignored unless a model
forbids them. `read_body` turns violations into the server's 400 with one issue for each.
"""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from tests.standins.langfuse.answers import Refused, invalid, read_json
from tests.standins.langfuse.clock import parse_time

M = TypeVar("M", bound="Body")

HTML_TAG = re.compile(r"<[^>]*>")
CONFIG_NAME = re.compile(r"^[A-Za-z0-9_ .()\-]{1,35}$")


def _moment(value: object) -> object:
    if isinstance(value, str):
        nanoseconds = parse_time(value)
        if nanoseconds is None:
            raise ValueError("Invalid ISO datetime")
        return nanoseconds
    if value is None:
        return None
    raise ValueError("Invalid input: expected string")


Moment = Annotated[int | None, BeforeValidator(_moment)]
Id = Annotated[str, Field(min_length=1, max_length=255)]


class Body(BaseModel):
    """A request body: strict types, unknown fields ignored."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class DatasetBody(Body):
    """``POST /v2/datasets``; upserts by name."""

    name: str = Field(min_length=1)
    description: str | None = None
    metadata: Any = None
    inputSchema: Any = None  # noqa: N815 - the wire's names
    expectedOutputSchema: Any = None  # noqa: N815

    @model_validator(mode="after")
    def _check_name(self) -> DatasetBody:
        if HTML_TAG.search(self.name):
            raise ValueError("name: Text cannot contain HTML tags")
        if self.name.startswith("/") or self.name.endswith("/") or "//" in self.name:
            raise ValueError(
                "name: Dataset name cannot start or end with a slash or contain consecutive slashes"
            )
        return self


class DatasetItemBody(Body):
    """``POST /dataset-items``; upserts by id."""

    datasetName: str  # noqa: N815
    id: Id | None = None
    input: Any = None
    expectedOutput: Any = None  # noqa: N815
    metadata: Any = None
    sourceTraceId: str | None = None  # noqa: N815
    sourceObservationId: str | None = None  # noqa: N815
    status: Literal["ACTIVE", "ARCHIVED"] | None = None


class RunItemBody(Body):
    """``POST /dataset-run-items``; an unknown field is an error here."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    runName: str  # noqa: N815
    runDescription: str | None = None  # noqa: N815
    metadata: Any = None
    datasetItemId: str  # noqa: N815
    traceId: str | None = None  # noqa: N815
    observationId: str | None = None  # noqa: N815
    datasetVersion: Moment = None  # noqa: N815
    createdAt: Moment = None  # noqa: N815

    @model_validator(mode="after")
    def _check_target(self) -> RunItemBody:
        if not self.traceId and not self.observationId:
            raise ValueError("traceId: observationId or traceId must be provided")
        return self


DataType = Literal["NUMERIC", "CATEGORICAL", "BOOLEAN", "TEXT", "CORRECTION"]


class ScoreBody(Body):
    """``POST /scores`` and the body of a ``score-create`` event."""

    id: str | None = None
    name: str = Field(min_length=1)
    value: float | int | str | bool
    dataType: DataType | None = None  # noqa: N815
    traceId: str | None = None  # noqa: N815
    sessionId: str | None = None  # noqa: N815
    datasetRunId: str | None = None  # noqa: N815
    observationId: str | None = None  # noqa: N815
    comment: str | None = None
    metadata: Any = None
    configId: str | None = None  # noqa: N815
    environment: str | None = None
    source: Literal["API", "ANNOTATION"] | None = None
    queueId: str | None = None  # noqa: N815
    timestamp: Moment = None

    @model_validator(mode="after")
    def _check(self) -> ScoreBody:
        targets = [target for target in (self.traceId, self.sessionId, self.datasetRunId) if target]
        if len(targets) != 1:
            raise ValueError("Provide exactly one of the following: traceId, sessionId or datasetRunId")
        if self.observationId and not self.traceId:
            raise ValueError("observationId: requires traceId")
        if self.source == "ANNOTATION" and not self.configId and self.dataType != "CORRECTION":
            raise ValueError("configId: required when source is ANNOTATION")
        if problem := value_problem(self.value, self.dataType):
            raise ValueError(f"value: {problem}")
        if self.dataType == "CORRECTION" and (self.configId or not self.traceId):
            raise ValueError("dataType: a CORRECTION belongs to a trace or observation and has no config")
        return self


def value_problem(value: object, data_type: str | None) -> str | None:
    """Why `value` is no value of `data_type` (None: inferred), or None when it is one."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if data_type is None:
        return None if number or isinstance(value, str) else "Invalid input: expected number or string"
    if data_type in ("NUMERIC", "BOOLEAN"):
        if not number or not math.isfinite(float(value)):  # type: ignore[arg-type]
            return "Invalid input: expected number"
        if data_type == "BOOLEAN" and value not in (0, 1):
            return "Value must be either 0 or 1"
        return None
    if not isinstance(value, str):
        return "Invalid input: expected string"
    if data_type == "TEXT" and not 1 <= len(value) <= 500:
        return "Text must be between 1 and 500 characters"
    return None


class ConfigCategory(Body):
    """One label of a categorical score config."""

    label: str = Field(min_length=1)
    value: float | int


class ScoreConfigBody(Body):
    """``POST /score-configs``."""

    name: str
    dataType: Literal["NUMERIC", "CATEGORICAL", "BOOLEAN", "TEXT"]  # noqa: N815
    categories: list[ConfigCategory] | None = None
    minValue: float | int | None = None  # noqa: N815
    maxValue: float | int | None = None  # noqa: N815
    description: str | None = None

    @model_validator(mode="after")
    def _check(self) -> ScoreConfigBody:
        if not CONFIG_NAME.match(self.name):
            raise ValueError("name: 1 to 35 letters, digits, spaces and _ . ( ) - are allowed")
        if self.dataType == "CATEGORICAL" and not self.categories:
            raise ValueError("categories: required for a categorical config")
        if self.minValue is not None and self.maxValue is not None and self.minValue >= self.maxValue:
            raise ValueError("maxValue: must be greater than minValue")
        return self


def read_body(model: type[M], body: bytes) -> M:
    """Decode and check a request body.

    Raises:
        Refused: 400, as text for malformed JSON, else with the list of issues.
    """
    return check(model, read_json(body))


def check(model: type[M], document: object) -> M:
    """Check a decoded body; raises `Refused` with the list of issues."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise refusal_of(error) from None


def refusal_of(error: ValidationError) -> Refused:
    """The server's 400 for pydantic's list of violations."""
    issues = []
    for item in error.errors(include_url=False, include_input=False, include_context=False):
        message = item["msg"].removeprefix("Value error, ")
        path = list(item["loc"])
        field, colon, rest = message.partition(": ")
        if not path and colon and field.isalpha():
            path, message = [field], rest
        issues.append((path, message))
    return invalid(*issues)
