from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

import pytest

pytest.importorskip("opentelemetry.sdk", reason="comes with the extra opentelemetry")
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from phimask import events
from phimask.testing import check_observer
from phimask.testing.watching import EVENTS
from phimask_plugins.observers import OpenTelemetry, opentelemetry
from phimask_plugins.observers.figures import METRICS

STARTED = events.RunStarted("r1", "production", ("ehr.a",))
BATCH = events.BatchFinished(
    namespace="ehr.a", partition=0, documents=10, bytes=700, seconds=0.5, written=9, unchanged=1, quarantined=0,
    missing=0, rss_bytes=90, masked=(5, 6), worker="w1",
)  # fmt: skip


@contextmanager
def collector(answer: int | Literal["never"] = 200) -> Iterator[tuple[str, list[Any]]]:
    """An OTLP collector: where it is, and the pushes that it took."""
    pushed: list[Any] = []
    over = threading.Event()

    class Take(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if answer == "never":
                over.wait()
                return
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            if answer == 200:
                pushed.append(ExportMetricsServiceRequest.FromString(body))
            self.send_response(answer)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (http.server's name)
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Take) as server:
        server.daemon_threads = True
        server.block_on_close = False
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/v1/metrics", pushed
        finally:
            over.set()
            server.shutdown()
            thread.join()


def observer(endpoint: str, timeout: float = 30.0) -> tuple[OpenTelemetry, list[str]]:
    made = OpenTelemetry({"endpoint": endpoint, "every": 3600.0, "timeout": timeout})
    said: list[str] = []
    made.warn = said.append
    return made, said


def test_it_keeps_its_interface() -> None:
    with collector() as (endpoint, _):
        check_observer(OpenTelemetry, {"endpoint": endpoint})


def test_every_figure_is_pushed_under_its_name() -> None:
    with collector() as (endpoint, pushed):
        watching, said = observer(endpoint)
        before_the_end = EVENTS[
            : next(n for n, one in enumerate(EVENTS) if isinstance(one, events.WorkerEnded))
        ]
        for event in (*EVENTS, *before_the_end[1:], BATCH):
            watching.notify(event)
        watching.close()
    (resource,) = pushed[-1].resource_metrics
    attributes = {one.key: one.value.string_value for one in resource.resource.attributes}
    assert (attributes["service.name"], attributes["service.instance.id"]) == ("phimask", "0f6c")
    (scope,) = resource.scope_metrics
    found = {metric.name: metric for metric in scope.metrics}
    assert sorted(found) == sorted(opentelemetry.otlp_name(metric)[0] for metric in METRICS)
    masked = [
        point.as_int or point.as_double
        for point in found["phimask.documents"].sum.data_points
        if {one.key: one.value.string_value for one in point.attributes}
        == {"namespace": "ehr.a", "outcome": "masked"}
    ]
    assert masked == [9]
    assert found["phimask.read"].unit == "By"
    points = found["phimask.batch"].histogram.data_points
    assert [
        (point.count, point.sum) for point in points if point.attributes[0].value.string_value == "ehr.a"
    ] == [(1, 0.5)]
    assert said == []


@pytest.mark.parametrize("answer", [400, "never"])
def test_a_collector_that_does_not_take_them_is_said_once(answer: Any) -> None:
    with collector(answer) as (endpoint, _):
        watching, said = observer(endpoint, timeout=1.0)
        watching.notify(STARTED)
        watching.notify(BATCH)
        watching.close()
        watching.close()
    assert said == ["figures do not reach the OpenTelemetry collector: refused, or no answer"]


def test_no_collector_at_all_is_said_once() -> None:
    with collector() as (endpoint, _):
        pass
    watching, said = observer(endpoint, timeout=1.0)
    watching.notify(STARTED)
    watching.close()
    assert said == ["figures do not reach the OpenTelemetry collector: refused, or no answer"]


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opentelemetry.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"install phimask\[opentelemetry\]"):
        OpenTelemetry({"endpoint": None, "every": 15.0, "timeout": 5.0})
