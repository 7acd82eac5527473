"""What a judge can be: by what it judges, what its verdict is, and which models it asks."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Any

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from evalrpc_server.domain.spec.fields import Headers, HttpUrl, Key, Name, SpecModel

OPENAI_URL = "https://api.openai.com/v1"
"""Where a model is asked unless the spec says so."""

MAX_SAMPLES = 32
MAX_MODELS = 10

_OWN_PARAMETERS = frozenset({"model", "messages", "n", "stream", "stream_options", "response_format"})
_KEY_ADVICE = "holds a character that no header can carry; refer to a secret as ${secret:NAME}"


class JudgePreset(StrEnum):
    """The criteria that evalrpc words itself."""

    FAITHFULNESS = "JUDGE_PRESET_FAITHFULNESS"
    ANSWER_RELEVANCE = "JUDGE_PRESET_ANSWER_RELEVANCE"
    CONTEXT_PRECISION = "JUDGE_PRESET_CONTEXT_PRECISION"


class JudgeStrategy(StrEnum):
    """What several models are for."""

    PANEL = "JUDGE_STRATEGY_PANEL"
    CASCADE = "JUDGE_STRATEGY_CASCADE"


class JudgeReducer(StrEnum):
    """How several verdicts become one."""

    MEAN = "JUDGE_REDUCER_MEAN"
    MEDIAN = "JUDGE_REDUCER_MEDIAN"
    MAJORITY = "JUDGE_REDUCER_MAJORITY"
    MIN = "JUDGE_REDUCER_MIN"
    MAX = "JUDGE_REDUCER_MAX"


class JudgeScale(SpecModel):
    """A number from the worst, `min`, to the best, `max`."""

    min: float = Field(default=0.0, allow_inf_nan=False)
    max: float = Field(default=1.0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _ascending(self) -> JudgeScale:
        if not self.min < self.max:
            raise PydanticCustomError("scale", "must have a min below its max")
        return self


class JudgeLabels(SpecModel):
    """One of several labels."""

    labels: tuple[Name, ...] = Field(max_length=100)

    @field_validator("labels")
    @classmethod
    def _distinct(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        if len(labels) < 2:
            raise PydanticCustomError("labels", "must be at least two labels to choose from")
        if len({label.strip().casefold() for label in labels}) < len(labels):
            raise PydanticCustomError("labels", "must differ in more than case and blanks")
        return labels


class JudgeBoolean(SpecModel):
    """Yes or no."""


class JudgePairwise(SpecModel):
    """The better of two outputs: the item's own, and the baseline's or, without one, the expected output."""

    baseline_experiment_id: Key = ""


class JudgeModel(SpecModel):
    """A model behind an OpenAI-compatible API; prices are in US dollars for a million tokens."""

    base_url: HttpUrl = OPENAI_URL
    api_key: str = ""
    model: Name
    parameters: dict[str, Any] = Field(default_factory=dict)
    headers: Headers
    input_price_usd: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    output_price_usd: float | None = Field(default=None, ge=0, allow_inf_nan=False)

    @field_validator("api_key")
    @classmethod
    def _sendable(cls, value: str) -> str:
        if not value.isascii() or not value.isprintable():
            raise PydanticCustomError("api_key", _KEY_ADVICE)
        return value

    @field_validator("parameters")
    @classmethod
    def _further(cls, value: dict[str, Any]) -> dict[str, Any]:
        if own := sorted(_OWN_PARAMETERS & value.keys()):
            names = ", ".join(own)
            raise PydanticCustomError(
                "parameters", "must not hold {names}: the judge sets it", {"names": names}
            )
        return value


class JudgeEvaluator(SpecModel):
    """A judge.

    Attributes:
        rubric: by what to judge; `preset` is a criterion worded by evalrpc. Exactly one is set.
        scale: what the verdict is, or `labels`, `boolean`, `pairwise`; at most one. None: a score from 0 to 1.
        models: all asked (panel), or one after another until one is sure (cascade).
        samples: how often each model is asked.
        reducer: how several verdicts become one; None: the mean of scores, the majority of anything else.
        agreement: the share of a model's samples that must agree for a cascade to end.
        prompt: a template; empty: evalrpc's own.
    """

    rubric: str = Field(default="", max_length=100_000)
    preset: JudgePreset | None = None
    scale: JudgeScale | None = None
    labels: JudgeLabels | None = None
    boolean: JudgeBoolean | None = None
    pairwise: JudgePairwise | None = None
    models: tuple[JudgeModel, ...] = Field(max_length=MAX_MODELS)
    strategy: JudgeStrategy = JudgeStrategy.PANEL
    samples: int = Field(default=1, ge=1, le=MAX_SAMPLES)
    reducer: JudgeReducer | None = None
    agreement: float | None = Field(default=None, gt=0, le=1)
    prompt: str = Field(default="", max_length=100_000)

    @field_validator("strategy", mode="before")
    @classmethod
    def _default_strategy(cls, value: object) -> object:
        return JudgeStrategy.PANEL if value == "JUDGE_STRATEGY_UNSPECIFIED" else value

    @field_validator("reducer", mode="before")
    @classmethod
    def _default_reducer(cls, value: object) -> object:
        return None if value == "JUDGE_REDUCER_UNSPECIFIED" else value

    @model_validator(mode="after")
    def _fitting(self) -> JudgeEvaluator:
        if not self.models:
            raise PydanticCustomError("models", "must have at least one of models")
        self._check_criterion()
        self._check_strategy()
        if self.numeric or self.reducer in {None, JudgeReducer.MAJORITY}:
            return self
        if self.labels or self.reducer in {JudgeReducer.MEAN, JudgeReducer.MEDIAN}:
            raise PydanticCustomError(
                "reducer",
                "has a reducer for numbers, which its verdicts are not; leave it out for the majority",
            )
        return self

    def _check_criterion(self) -> None:
        if bool(self.rubric.strip()) == (self.preset is not None):
            problem = "both are" if self.preset else "none is"
            raise PydanticCustomError("one_of", f"must set exactly one of rubric, preset; {problem} set")
        verdicts = (self.scale, self.labels, self.boolean, self.pairwise)
        given = sum(verdict is not None for verdict in verdicts)
        if given > 1:
            raise PydanticCustomError("one_of", "must set at most one of scale, labels, boolean, pairwise")
        if self.preset and (given or self.prompt):
            raise PydanticCustomError(
                "preset",
                "has a preset, which gives a score from 0 to 1 by its own prompt; set neither beside it",
            )

    def _check_strategy(self) -> None:
        if self.strategy is JudgeStrategy.CASCADE:
            if self.samples < 2 or len(self.models) < 2:
                raise PydanticCustomError(
                    "cascade",
                    "is a cascade, which needs two models and two samples: one whose samples differ is unsure",
                )
        elif self.agreement is not None:
            raise PydanticCustomError("agreement", "has an agreement, which only a cascade takes")

    @property
    def numeric(self) -> bool:
        """Whether verdicts are scores."""
        return not (self.labels or self.boolean or self.pairwise)

    @property
    def range(self) -> tuple[float, float]:
        """The worst and the best score."""
        scale = self.scale or JudgeScale()
        return scale.min, scale.max

    @property
    def span(self) -> float:
        """How far the worst and the best score are apart."""
        low, high = self.range
        return high - low if math.isfinite(high - low) else math.inf
