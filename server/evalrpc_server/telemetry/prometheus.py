"""Metrics as Prometheus text, by the rules of OpenTelemetry's compatibility specification.

Format: https://prometheus.io/docs/instrumenting/exposition_formats/
Names: https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from opentelemetry.sdk.metrics.export import (
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    Sum,
)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""The media type of the text."""

_UNITS = {"s": "seconds", "ms": "milliseconds", "By": "bytes"}
_INVALID = re.compile(r"[^a-zA-Z0-9_]+")


def prometheus_text(data: MetricsData | None) -> str:
    """Returns sums, gauges and histograms as text, with the resource as `target_info`."""
    lines: list[str] = []
    for resource in data.resource_metrics if data else ():
        lines += ["# HELP target_info The server.", "# TYPE target_info gauge"]
        lines.append(f"target_info{_labels(resource.resource.attributes)} 1")
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                lines += _metric(metric)
    return "".join(f"{line}\n" for line in lines)


def _metric(metric: Metric) -> Iterator[str]:
    data, name = metric.data, _name(metric)
    if isinstance(data, Histogram):
        yield from _head(name, metric, "histogram")
        for point in data.data_points:
            yield from _histogram(name, point)
    elif isinstance(data, (Sum, Gauge)):
        yield from _head(name, metric, "counter" if name.endswith("_total") else "gauge")
        for number in data.data_points:
            yield f"{name}{_labels(number.attributes)} {number.value}"


def _head(name: str, metric: Metric, kind: str) -> tuple[str, str]:
    text = (metric.description or "").replace("\\", r"\\").replace("\n", r"\n")
    return f"# HELP {name} {text}", f"# TYPE {name} {kind}"


def _name(metric: Metric) -> str:
    name = _INVALID.sub("_", metric.name)
    if suffix := _UNITS.get(metric.unit or ""):
        name += f"_{suffix}"
    monotonic = isinstance(metric.data, Sum) and metric.data.is_monotonic
    return f"{name}_total" if monotonic else name


def _histogram(name: str, point: HistogramDataPoint) -> Iterator[str]:
    total = 0
    for bound, count in zip([*point.explicit_bounds, "+Inf"], point.bucket_counts, strict=True):
        total += count
        yield f"{name}_bucket{_labels({**(point.attributes or {}), 'le': bound})} {total}"
    yield f"{name}_sum{_labels(point.attributes)} {point.sum}"
    yield f"{name}_count{_labels(point.attributes)} {point.count}"


def _labels(attributes: Mapping[str, object] | None) -> str:
    pairs = ",".join(
        f'{_INVALID.sub("_", key)}="{_escaped(value)}"' for key, value in (attributes or {}).items()
    )
    return f"{{{pairs}}}" if pairs else ""


def _escaped(value: object) -> str:
    return str(value).replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
