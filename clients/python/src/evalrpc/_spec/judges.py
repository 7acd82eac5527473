"""Language models that judge, and what they are measured by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from evalrpc._documents import encode
from evalrpc._errors import Violation, invalid
from evalrpc._spec.data import item_message
from evalrpc._spec.evaluators import with_options
from evalrpc._spec.parsing import Seconds, parsed
from evalrpc.v1 import calibration_pb2, evaluator_pb2, judge_pb2

JudgeModelLike = str | Mapping[str, Any] | judge_pb2.JudgeModel
"""A model that judges: its name, or the contract's `JudgeModel`, also in its JSON form."""

LabelledOutput = Mapping[str, Any]
"""An output with a person's verdict: a dict with the keys output and verdict, and of the item input, expected_output and
metadata; contexts is a list of texts, or of dicts with the key text."""

Preset = Literal["faithfulness", "answer_relevance", "context_precision"]
Reducer = Literal["mean", "median", "majority", "min", "max"]

CALIBRATION_SECONDS = 3600.0
"""How long a calibration may take: models are called as often as there are outputs."""

_LABELLED_KEYS = frozenset({"id", "input", "expected_output", "metadata", "output", "contexts", "verdict"})


def judge(
    *,
    name: str,
    models: JudgeModelLike | Sequence[JudgeModelLike],
    rubric: str = "",
    preset: Preset | None = None,
    scale: tuple[float, float] | None = None,
    labels: Sequence[str] = (),
    boolean: bool = False,
    pairwise: bool | str = False,
    samples: int | None = None,
    strategy: Literal["panel", "cascade"] | None = None,
    agreement: float | None = None,
    reducer: Reducer | None = None,
    prompt: str = "",
    timeout: Seconds | None = None,
    max_concurrency: int | None = None,
) -> evaluator_pb2.EvaluatorSpec:
    """Returns a judge: language models that judge an output by a rubric or a preset.

    Args:
        name: of its evaluations.
        models: one or several, by name or as `{"model": ..., "base_url": ..., "api_key": "${secret:NAME}"}`.
        rubric: by what to judge, in words for the models.
        preset: a criterion that evalrpc words itself.
        scale: the worst and the best score; 0 and 1 by default.
        labels: the labels to choose from, in place of a score.
        boolean: whether the verdict is yes or no.
        pairwise: whether the output is compared with the expected output, or the id of the experiment with whose output.
        samples: how often each model is asked.
        strategy: whether all models are asked, or one after another until one is sure.
        agreement: of a cascade: the share of a model's samples that must agree.
        reducer: how several verdicts become one.
        prompt: a template in place of evalrpc's own prompt.
        timeout: of one call of a model, in seconds.
        max_concurrency: how many items may be judged at once.
    """
    listed = [models] if isinstance(models, str | Mapping | judge_pb2.JudgeModel) else models
    message = judge_pb2.JudgeEvaluator(
        models=[_model(each, f"models[{number}]") for number, each in enumerate(listed)], prompt=prompt
    )
    if rubric:
        message.rubric = rubric
    if preset:
        message.preset = judge_pb2.JudgePreset.Value(f"JUDGE_PRESET_{preset.upper()}")
    if scale:
        message.scale.min, message.scale.max = scale
    if labels:
        message.labels.labels.extend(labels)
    if boolean:
        message.boolean.SetInParent()
    if pairwise:
        message.pairwise.SetInParent()
        message.pairwise.baseline_experiment_id = pairwise if isinstance(pairwise, str) else ""
    if samples is not None:
        message.samples = samples
    if strategy:
        message.strategy = judge_pb2.JudgeStrategy.Value(f"JUDGE_STRATEGY_{strategy.upper()}")
    if agreement is not None:
        message.agreement = agreement
    if reducer:
        message.reducer = judge_pb2.JudgeReducer.Value(f"JUDGE_REDUCER_{reducer.upper()}")
    return with_options(evaluator_pb2.EvaluatorSpec(judge=message), name, timeout, max_concurrency)


def calibration_request(
    evaluator: evaluator_pb2.EvaluatorSpec | judge_pb2.JudgeEvaluator | Mapping[str, Any],
    outputs: Iterable[LabelledOutput],
    positive_from: float | None,
) -> calibration_pb2.CalibrateJudgeRequest:
    """Returns the request to measure a judge.

    Raises:
        InvalidRequestError: an output has an unknown key, or a value that is not JSON.
        TypeError: the evaluator is no judge.
    """
    if isinstance(evaluator, evaluator_pb2.EvaluatorSpec):
        if not evaluator.HasField("judge"):
            raise TypeError("only what judge() returns can be calibrated")
        evaluator = evaluator.judge
    return calibration_pb2.CalibrateJudgeRequest(
        judge=parsed(evaluator, judge_pb2.JudgeEvaluator(), "judge"),
        labelled_outputs=[_labelled(each, f"outputs[{number}]") for number, each in enumerate(outputs)],
        positive_from=positive_from,
    )


def _model(model: JudgeModelLike, path: str) -> judge_pb2.JudgeModel:
    if isinstance(model, str):
        return judge_pb2.JudgeModel(model=model)
    return parsed(model, judge_pb2.JudgeModel(), path)


def _labelled(given: LabelledOutput, path: str) -> calibration_pb2.LabelledOutput:
    if unknown := sorted(given.keys() - _LABELLED_KEYS):
        raise invalid([Violation(f"{path}.{key}", "is unknown") for key in unknown])
    item = {key: given[key] for key in ("id", "expected_output", "metadata") if key in given}
    message = calibration_pb2.LabelledOutput(item=item_message({"input": given.get("input"), **item}, 0))
    try:
        message.output.text = encode(given.get("output"))
    except ValueError as error:
        raise invalid([Violation(f"{path}.output", str(error))]) from None
    for context in given.get("contexts", ()):
        if isinstance(context, str):
            message.contexts.add(text=context)
        else:
            message.contexts.add(text=context["text"], id=context.get("id", ""))
    verdict = given.get("verdict")
    if isinstance(verdict, bool):
        message.boolean = verdict
    elif isinstance(verdict, int | float):
        message.number = verdict
    elif isinstance(verdict, str):
        message.label = verdict
    else:
        raise invalid([Violation(f"{path}.verdict", "must be a number, a boolean or a string")])
    return message
