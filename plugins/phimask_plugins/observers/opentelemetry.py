"""The observer `opentelemetry`: a run's figures, pushed to a collector by OTLP. Needs `phimask[opentelemetry]`."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

import phimask
from phimask import Observer, events
from phimask_plugins.observers.figures import BOUNDS, METRICS, Figures, Metric

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, Meter, Observation
    from opentelemetry.sdk.metrics import MeterProvider

_NEEDED: Final = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
_UNITS: Final = {"seconds": "s", "bytes": "By"}


class OpenTelemetry(Observer):
    """Pushes the run's figures, those that `prometheus` serves, to an OpenTelemetry collector (OTLP over HTTP).

    They are called as there, with a dot and without what a unit or a kind says: `phimask.documents`, `phimask.batch`.
    The run's id is the resource's `service.instance.id`. A collector that does not answer costs the figures, which is
    said once, and never the run. Comes with the extra `phimask[opentelemetry]`.

    Source: OTLP 1.x, https://opentelemetry.io/docs/specs/otlp/.
    """

    name: ClassVar[str] = "opentelemetry"
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "endpoint": {
                "type": ["string", "null"],
                "minLength": 1,
                "default": None,
                "description": "where to, such as http://127.0.0.1:4318/v1/metrics; null: what "
                "OTEL_EXPORTER_OTLP_ENDPOINT says. Headers with secrets stand in OTEL_EXPORTER_OTLP_HEADERS",
            },
            "every": {
                "format": "duration",
                "minimum": 0.1,
                "default": "15s",
                "description": "how often",
            },
            "timeout": {
                "format": "duration",
                "minimum": 1,
                "default": "5s",
                "description": "how long a push may take, and the last one at the run's end",
            },
        },
    }

    def __init__(self, options: Mapping[str, Any]) -> None:
        """Raises ValueError where the extra is not installed."""
        super().__init__(options)
        if not _installed():
            raise ValueError(
                "the OpenTelemetry SDK is not installed; install phimask[opentelemetry], or take the observer out"
            )
        self._figures = Figures(phimask.__version__)
        self._provider: MeterProvider | None = None
        self._seconds: Callable[[events.BatchFinished], None] | None = None
        self._arrived = self._complained = False

    def notify(self, event: events.Event) -> None:
        """Count; the run's beginning begins the pushing."""
        self._figures.notify(event)
        if isinstance(event, events.RunStarted):
            self._provider = _provider(self.options, event.run_id, self._note)
            self._seconds = _instruments(
                self._provider.get_meter("phimask", phimask.__version__), self._figures
            )
        elif isinstance(event, events.BatchFinished) and self._seconds is not None:
            self._seconds(event)

    def close(self) -> None:
        """Push once more."""
        provider, self._provider = self._provider, None
        if provider is not None:
            self._arrived = False
            provider.shutdown(timeout_millis=self.options["timeout"] * 1000)
            self._note(self._arrived)

    def _note(self, arrived: bool) -> None:
        self._arrived = arrived
        if not arrived and not self._complained:
            self._complained = True
            self.warn("figures do not reach the OpenTelemetry collector: refused, or no answer")


def otlp_name(metric: Metric) -> tuple[str, str]:
    """What a metric is called there, and its unit."""
    words = metric.name.removesuffix("_total").split("_")
    unit = _UNITS.get(words[-1], "1")
    if unit != "1":
        words.pop()
    return f"phimask.{'_'.join(words[1:])}", unit


def _installed() -> bool:
    try:
        return all(importlib.util.find_spec(name) is not None for name in _NEEDED)
    except ModuleNotFoundError:
        return False


def _provider(options: Mapping[str, Any], run: str, note: Callable[[bool], None]) -> MeterProvider:
    """Pushes what its instruments come to, until it is shut down; `note` is told whether it arrived."""
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # noqa: PLC0415  (an extra)
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415
    from opentelemetry.sdk.metrics.export import MetricExportResult, PeriodicExportingMetricReader  # noqa: PLC0415
    from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415

    # It logs whole answers and tracebacks at each push; what matters of that, the observer says itself.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL + 1)

    every, timeout = options["every"] * 1000, options["timeout"]
    exporter = OTLPMetricExporter(endpoint=options["endpoint"], timeout=timeout)
    push = exporter.export

    def push_and_note(*arguments: Any, **how: Any) -> Any:
        result = push(*arguments, **how)
        note(result is MetricExportResult.SUCCESS)
        return result

    exporter.export = push_and_note
    reader = PeriodicExportingMetricReader(
        exporter, export_interval_millis=every, export_timeout_millis=timeout * 1000
    )
    resource = Resource.create(
        {
            "service.name": "phimask",
            "service.version": phimask.__version__,
            "service.instance.id": run,
        }
    )
    buckets = View(instrument_name="phimask.batch", aggregation=ExplicitBucketHistogramAggregation(BOUNDS))
    return MeterProvider([reader], resource=resource, views=[buckets], shutdown_on_exit=False)


def _instruments(meter: Meter, figures: Figures) -> Callable[[events.BatchFinished], None]:
    """One for each metric. Answers with what is to be told each batch: a histogram cannot be asked."""
    from opentelemetry.metrics import Observation  # noqa: PLC0415  (an extra)

    def ask(metric: Metric) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observed(_: CallbackOptions) -> Iterable[Observation]:
            return [
                Observation(value, dict(zip(metric.labels, labels, strict=True)))
                for labels, value in figures.values(metric.name).items()
            ]

        return observed

    for metric in METRICS:
        name, unit = otlp_name(metric)
        if metric.kind == "counter":
            meter.create_observable_counter(name, [ask(metric)], unit, metric.is_what)
        elif metric.kind == "gauge":
            meter.create_observable_gauge(name, [ask(metric)], unit, metric.is_what)
    (histogram,) = (metric for metric in METRICS if metric.kind == "histogram")
    batches = meter.create_histogram(*otlp_name(histogram), histogram.is_what)

    def tell(event: events.BatchFinished) -> None:
        batches.record(event.seconds, {"namespace": event.namespace})

    return tell
