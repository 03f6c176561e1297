"""The observer `prometheus`: a run's figures at an address that Prometheus scrapes."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final
from wsgiref.simple_server import WSGIServer

import phimask
from phimask import Observer, events
from phimask_plugins.observers.figures import BOUNDS, METRICS, Figures, Metric

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric as Family

PORT: Final = 9464
_PATIENCE: Final = 5.0
"""Seconds that the run's end waits for who is slow to take an answer."""


class Prometheus(Observer):
    """Serves the run's figures over HTTP for as long as the run lasts, in the formats that Prometheus reads.

    The path is `/metrics`. Where the port is taken, the run goes on without, and says so. No figure and no label holds
    a value of a document; whoever reaches the address sees counts, and the names of collections, validators, workers.
    """

    name: ClassVar[str] = "prometheus"
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "address": {
                "type": "string",
                "minLength": 1,
                "default": "127.0.0.1",
                "description": "where it listens: this machine alone, unless another address is given; there is no "
                "password",
            },
            "port": {
                "type": "integer",
                "minimum": 1,
                "maximum": 65535,
                "default": PORT,
                "description": "the TCP port",
            },
            "linger": {
                "format": "duration",
                "minimum": 0,
                "default": "0s",
                "description": "how long the run's end waits to be scraped once more, so that the last figures are not "
                "lost; a little more than the scrape interval does",
            },
        },
    }

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self._figures = Figures(phimask.__version__)
        self._server: WSGIServer | None = None
        self._thread: threading.Thread | None = None
        self._over = False
        self._scraped_after = threading.Event()
        self._answers = _Answers()

    def notify(self, event: events.Event) -> None:
        """Count; the run's beginning opens the port, its end is what `linger` waits for a scrape of."""
        self._figures.notify(event)
        self._scraped_after.clear()  # by alerts, too, which come behind the run's end
        if isinstance(event, events.RunStarted):
            self._open()
        elif isinstance(event, events.RunFinished):
            self._over = True

    def close(self) -> None:
        """Close the port; an answer that is being given is given to its end, within 5 seconds."""
        server, self._server = self._server, None
        if server is None or self._thread is None:
            return
        if self._over:
            self._scraped_after.wait(self.options["linger"])
        server.shutdown()
        server.server_close()
        self._thread.join()
        self._answers.wait(_PATIENCE)

    def collect(self) -> Iterable[Family]:
        """All figures, as prometheus_client asks for them."""
        if self._over:
            self._scraped_after.set()
        for metric in METRICS:
            yield _family(metric, self._figures)

    def _open(self) -> None:
        address, port = self.options["address"], self.options["port"]
        try:
            self._server = _server(address, port, self, self._answers)
        except OSError as error:
            why = error.strerror or type(error).__name__
            self.warn(f"no figures for Prometheus: port {port} of {address} cannot be had ({why})")
            return
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="phimask-prometheus", daemon=True
        )
        self._thread.start()


class _Answers:
    """How many answers are being given. Who only holds a connection open is given none, and waited for by nobody."""

    def __init__(self) -> None:
        self._given = 0
        self._changed = threading.Condition()

    def begin(self) -> None:
        with self._changed:
            self._given += 1

    def end(self) -> None:
        with self._changed:
            self._given -= 1
            self._changed.notify_all()

    def wait(self, seconds: float) -> None:
        """Until there are none, or so long."""
        with self._changed:
            self._changed.wait_for(lambda: not self._given, seconds)


def _family(metric: Metric, figures: Figures) -> Family:
    from prometheus_client.core import (  # noqa: PLC0415  (slow to import, and few runs ask for it)
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
    )

    if metric.kind == "histogram":
        histogram = HistogramMetricFamily(metric.name, metric.is_what, labels=metric.labels)
        for labels, one in figures.histograms().items():
            sums = [sum(one.counts[: place + 1]) for place in range(len(one.counts))]
            bounds = [*map(str, BOUNDS), "+Inf"]
            histogram.add_metric(labels, list(zip(bounds, sums, strict=True)), one.total)
        return histogram
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = kind(metric.name, metric.is_what, labels=metric.labels)
    for labels, value in figures.values(metric.name).items():
        family.add_metric(labels, value)
    return family


def _server(address: str, port: int, collector: Any, answers: _Answers) -> WSGIServer:
    """Listening. Raises OSError."""
    import socket  # noqa: PLC0415  (as in _family)
    from socketserver import TCPServer, ThreadingMixIn  # noqa: PLC0415
    from wsgiref.simple_server import WSGIRequestHandler, make_server  # noqa: PLC0415

    from prometheus_client import CollectorRegistry, make_wsgi_app  # noqa: PLC0415

    family, _, _, _, place = socket.getaddrinfo(
        address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]

    class Server(ThreadingMixIn, WSGIServer):
        address_family = family
        daemon_threads = True
        # Elsewhere it lets a port be taken over that has just been closed; on Windows, one that somebody has.
        allow_reuse_address = os.name != "nt"

        def server_bind(self) -> None:
            # HTTPServer's would look up the machine's name as well, which may take long.
            TCPServer.server_bind(self)
            self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
            self.setup_environ()

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Who went away in the middle of an answer is no matter of ours."""

    class Handler(WSGIRequestHandler):
        timeout = 10
        asked = False

        def parse_request(self) -> bool:
            if super().parse_request():
                self.asked = True
                answers.begin()
            return self.asked

        def finish(self) -> None:
            try:
                super().finish()
            finally:
                if self.asked:
                    answers.end()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base class's name)
            """Scrapes are not logged."""

    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    app: Callable[..., Any] = make_wsgi_app(registry)
    return make_server(str(place[0]), port, app, server_class=Server, handler_class=Handler)
