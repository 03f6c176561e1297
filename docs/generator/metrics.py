"""The page of metrics: every figure that monitoring systems are given."""

from __future__ import annotations

import inspect

from generator.markdown import page, table
from phimask_plugins.observers import figures
from phimask_plugins.observers.figures import BOUNDS, METRICS
from phimask_plugins.observers.opentelemetry import otlp_name


def text() -> str:
    """The page."""
    head = ("metric", "kind", "labels", "in OpenTelemetry", "is")
    rows = (
        (
            f"`{one.name}`",
            one.kind,
            ", ".join(f"`{label}`" for label in one.labels),
            f"`{otlp_name(one)[0]}`",
            one.is_what,
        )
        for one in METRICS
    )
    bounds = ", ".join(f"{bound:g}" for bound in BOUNDS)
    return page(
        "Metrics",
        inspect.cleandoc(figures.__doc__ or "")
        + "\n\nA figure is there from the first event on that moves it. The buckets of the histogram end at "
        f"{bounds} seconds. [Watch with Prometheus](../how-to/watch-with-prometheus.md) shows them at work.",
        table(head, rows),
    )
