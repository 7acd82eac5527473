"""Results as JUnit XML, which every CI system shows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from evalrpc._model.blame import blame
from evalrpc._model.evaluation import Evaluation
from evalrpc._model.experiment import ExperimentState
from evalrpc._model.item_result import ItemResult
from evalrpc._model.result import ExperimentResult
from evalrpc.cli.thresholds import Threshold

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_junit(
    path: Path, result: ExperimentResult, thresholds: Sequence[Threshold], reasons: Mapping[Threshold, str]
) -> None:
    """Writes a test case for each item and for each threshold and gate.

    An item whose task or whose evaluator failed is an error; a threshold or gate that was missed is a failure, which shows
    the items that scored low. What an evaluation says of one item fails nothing by itself, as it is the thresholds that
    say what is good enough. A run that did not succeed has a case of its own.

    Raises:
        OSError: the file cannot be written.
    """
    suite = ET.Element("testsuite", name=_clean(result.name), id=result.experiment_id)
    cases = [_item(each) for each in result.item_results]
    cases += [_condition(f"not {each}", reasons.get(each), blame(result, [each.name])) for each in thresholds]
    cases += [
        _condition(each.name, None if each.passed else each.message) for each in result.experiment.gates
    ]
    if result.state is not ExperimentState.SUCCEEDED:
        cases.append(_failed_run(str(result.error or f"the run ended as {result.state}")))
    for case in cases:
        case.set("classname", _clean(result.name))
        suite.append(case)
    suite.set("tests", str(len(cases)))
    suite.set("failures", str(sum(case.find("failure") is not None for case in cases)))
    suite.set("errors", str(sum(case.find("error") is not None for case in cases)))
    suite.set("time", f"{sum(float(case.get('time', 0)) for case in cases):.3f}")
    if result.experiment.create_time:
        suite.set("timestamp", f"{result.experiment.create_time:%Y-%m-%dT%H:%M:%S}")
    ET.indent(suite)
    path.write_bytes(ET.tostring(suite, encoding="utf-8", xml_declaration=True) + b"\n")


def _item(result: ItemResult) -> ET.Element:
    trial = f" (trial {result.trial})" if result.trial > 1 else ""
    case = ET.Element("testcase", name=_clean(f"{result.item.id}{trial}"))
    case.set("time", f"{result.task_duration or 0:.6f}")
    for failure in (result.error, *(each.error for each in result.evaluations)):
        if failure is not None:
            error = ET.SubElement(case, "error", type=failure.reason, message=_clean(failure.message))
            error.text = _clean(str(failure))
    lines = [f"{each.name}: {_verdict(each)}" for each in result.evaluations]
    if lines:
        ET.SubElement(case, "system-out").text = _clean("\n".join(lines))
    return case


def _condition(name: str, reason: str | None, blamed: Sequence[str] = ()) -> ET.Element:
    case = ET.Element("testcase", name=_clean(name))
    if reason is not None:
        failure = ET.SubElement(case, "failure", type="threshold", message=_clean(reason))
        failure.text = _clean("\n".join([reason, *blamed]))
    return case


def _failed_run(reason: str) -> ET.Element:
    case = ET.Element("testcase", name="run")
    ET.SubElement(case, "error", type="run", message=_clean(reason)).text = _clean(reason)
    return case


def _verdict(evaluation: Evaluation) -> str:
    if evaluation.error is not None:
        return f"error {evaluation.error}"
    if evaluation.unscored is not None:
        return f"unscored ({evaluation.unscored})"
    comment = f" - {evaluation.comment}" if evaluation.comment else ""
    return f"{evaluation.value}{comment}"


def _clean(text: str) -> str:
    """Replaces what XML 1.0 cannot hold."""
    return _NOT_XML.sub("\ufffd", text)
