"""What a project holds, in a form that two runs of the same experiment can be compared by.

Ids become names of what they identify (``<trace 1>``, ``<experiment>``), times become ``<time>``, SDK names
and versions become ``<sdk>``; order of arrival disappears. What is left is what a writer decides: the tree of
spans with types, levels and attributes, the scores, the run items, and the requests.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from tests.standins.langfuse.observation import EXPERIMENT, Observation
from tests.standins.langfuse.otlp import Span
from tests.standins.langfuse.score_forms import document, subject

if TYPE_CHECKING:
    from tests.standins.langfuse.app import LangfuseStandIn
    from tests.standins.langfuse.store import ProjectData

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
# Requests whose number depends on timing, not on the writer's design.
BATCHED = ("/api/public/otel/v1/traces", "/api/public/scores", "/api/public/ingestion")


class Names:
    """Replaces ids and times by names, the same id always by the same name."""

    def __init__(self, known: dict[str, str]) -> None:
        self._known = dict(known)

    def learn(self, identity: str | None, name: str) -> None:
        """Give an id its name; the first name stays."""
        if identity:
            self._known.setdefault(identity, name)

    def text(self, value: str) -> str:
        """A text with ids and times replaced."""
        for identity, name in self._known.items():
            if identity in value:
                value = value.replace(identity, name)
        return TIME.sub("<time>", value)

    def value(self, value: Any) -> Any:
        """Any document with ids and times replaced."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(key): self.value(entry) for key, entry in sorted(value.items())}
        return [self.value(entry) for entry in value] if isinstance(value, list) else value


def normalise(standin: LangfuseStandIn, project_id: str | None = None) -> dict[str, Any]:
    """The records of a project, comparable.

    Each trace has ``on_every_span`` (the attributes that all its spans share), ``root`` (the tree of spans with
    the other attributes) and ``scores``; scores of anything else stand beside the traces.
    """
    project = standin.project(project_id)
    names = _names(project)
    scores = project.scores.all()
    traces = []
    for trace_id in project.spans.trace_ids():
        rows = project.spans.of_trace(trace_id, events=False)
        if rows:
            own = [_score(one, names) for one in scores if one.trace_id == trace_id]
            traces.append(_trace([project.spans.observation(row) for row in rows], own, names))
    return {
        "traces": sorted(traces, key=_sorted_text),
        "scores": sorted((_score(one, names) for one in scores if not one.trace_id), key=_sorted_text),
        "runs": [
            {
                "run": names.value(run.show()),
                "items": sorted((names.value(item.show()) for item in run.items), key=_sorted_text),
            }
            for run in project.runs.all()
        ],
        "requests": requests(standin, project_id),
    }


def _sorted_text(document: Any) -> bytes:
    return msgspec.json.encode(document, order="sorted")


def _names(project: ProjectData) -> Names:
    names = Names({project.keys.id: "<project>", project.keys.public_key: "<public key>"})
    for dataset in project.datasets.all():
        names.learn(dataset.id, "<dataset>")
    for run in project.runs.all():
        names.learn(run.id, "<experiment>")
        for item in run.items:
            names.learn(item.id, "<run item>")
    for trace_id in project.spans.trace_ids():
        rows = project.spans.of_trace(trace_id, events=False)
        names.learn(trace_id, "<trace>")
        spans = [project.spans.span(row) for row in rows]
        for span in spans:
            names.learn(_said(span, "id"), "<experiment>")
            names.learn(_said(span, "item.root_observation_id"), "<item root>")
        for span in spans:
            names.learn(span.span_id, f"<{span.name}>")
    for score in project.scores.all():
        names.learn(score.id, "<score>")
    return names


def _said(span: Span, name: str) -> str | None:
    value = span.attributes.get(f"{EXPERIMENT}{name}")
    return value if isinstance(value, str) else None


def _trace(observations: list[Observation], scores: list[dict[str, Any]], names: Names) -> dict[str, Any]:
    ids = {one.span.span_id for one in observations}
    common = dict(observations[0].span.attributes)
    for one in observations:
        common = {key: value for key, value in common.items() if one.span.attributes.get(key) == value}

    def node(one: Observation) -> dict[str, Any]:
        span = one.span
        below = [child for child in observations if child.span.parent_id == span.span_id]
        own = {key: value for key, value in span.attributes.items() if key not in common}
        return {
            "name": span.name,
            "type": one.type,
            "level": one.level,
            "status": [span.status_code, names.text(span.status_message)],
            "events": [event.name for event in span.events],
            "attributes": names.value(own),
            "children": sorted((node(child) for child in below), key=_by_name),
        }

    roots = [node(one) for one in observations if one.span.parent_id not in ids]
    return {
        "on_every_span": names.value(common),
        "roots": sorted(roots, key=_by_name),
        "scores": sorted(scores, key=_by_name),
    }


def _by_name(form: dict[str, Any]) -> tuple[str, bytes]:
    return form["name"], _sorted_text(form)


def _score(score: Any, names: Names) -> dict[str, Any]:
    return {
        "name": score.name,
        "value": score.value,
        "dataType": score.data_type,
        "comment": score.comment,
        "metadata": names.value(document(score.metadata)),
        "configId": score.config_id,
        "environment": score.environment,
        "source": score.source,
        "subject": names.value(subject(score)),
    }


def requests(standin: LangfuseStandIn, project_id: str | None = None) -> dict[str, Any]:
    """The number of requests for each route; "batched" where timing decides about it."""
    wanted = standin.project(project_id).keys.id
    counted = Counter((entry.method, entry.route) for entry in standin.log.entries if entry.project == wanted)
    return {
        f"{method} {route}": "batched" if method == "POST" and route in BATCHED else number
        for (method, route), number in sorted(counted.items())
    }
