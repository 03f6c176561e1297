"""What watching costs: all observers on against none, and none against none, on one mongod, in one run.

    uv run python tests/benchmarks/observers.py [--docs 20000] [--rounds 5]

The three take turns, round by round and in another order each time, over the same documents and masked paths as in
throughput.py, in a worker in the run's own process, which shares its processor time with all that observers do. All:
progress, log, JSON log, Prometheus (scraped every second), OpenTelemetry (pushed every second), and alerts to a webhook.
Medians are printed: documents a second, which other work on the machine disturbs, and the run's own CPU time for a
document, which it disturbs less. What none again has of none is what chance makes of two runs that are the same. At last the same observers are told of many batches and nothing else goes on: what the
run waits for them, and their CPU time, threads included, for one.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psutil
from pymongo import MongoClient
from pymongo.write_concern import WriteConcern
from throughput import phimask, set_up

from phimask import events
from phimask.config.components import complete_options
from phimask.log import close_log, configure_log
from phimask.plugins.loading import load_registry
from phimask.store.embedded import EmbeddedMongod, find_mongod
from phimask.store.sample.loading import load_samples

ALIKE = ("executor=inline", "undo.vault=null", "alerts={batch: 1ms, memory: 1MB}")
ALL = (
    "observers=[batches, progress, log, {{name: json_log, options: {{file: events.jsonl}}}}, "
    "{{name: prometheus, options: {{port: {port}}}}}, "
    "{{name: opentelemetry, options: {{endpoint: 'http://127.0.0.1:{taker}/v1/metrics', every: 1s}}}}, "
    "{{name: notify, options: {{to: {{ops: {{file: address}}}}, per_hour: 1000}}}}]"
)


@contextmanager
def taker(taken: list[int]) -> Iterator[int]:
    """Takes whatever is posted to its port, and counts it."""

    class Take(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            taken.append(1)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (http.server's name)
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Take) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@contextmanager
def scraping(port: int, scraped: list[int]) -> Iterator[None]:
    """Asks for the figures every second meanwhile."""
    over = threading.Event()

    def scrape() -> None:
        while not over.wait(1.0):
            try:
                with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                    scraped.append(len(answer.read()))
            except OSError:
                continue

    thread = threading.Thread(target=scrape)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def free_port() -> int:
    """One that nobody has."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def told(folder: Path, server: int, batches: int = 20_000) -> tuple[float, float]:
    """Seconds that a run waits for its observers at each batch, and seconds of their CPU time."""
    registry = load_registry()
    (folder / "address").write_text(f"json://127.0.0.1:{server}/ops")
    options: dict[str, dict[str, Any]] = {
        "log": {},
        "json_log": {"file": str(folder / "told.jsonl")},
        "prometheus": {"port": free_port()},
        "opentelemetry": {"endpoint": f"http://127.0.0.1:{server}/v1/metrics", "every": "1s"},
        "notify": {"to": {"ops": {"file": str(folder / "address")}}},
    }
    watching = [
        registry.create("observer", name, complete_options("observer", name, given, registry))
        for name, given in options.items()
    ]
    batch = events.BatchFinished(
        "ehr.container", 3, 1000, 7_400_000, 2.1, 1000, 0, 0, 0, 118_000_000, (1000,) * 40, (0,) * 40, (0,) * 40,
        {"simple": 600, "medium": 300, "complex": 100}, 3_000_000_000, 120_000_000, None, "w1",
    )  # fmt: skip
    configure_log(folder, run="told", quiet=True)
    for one in watching:
        one.notify(events.RunStarted("r", "p", ("ehr.container",)))
    began, cpu = time.perf_counter(), time.process_time()
    for _ in range(batches):
        for one in watching:
            one.notify(batch)
    waited, spent = time.perf_counter() - began, time.process_time() - cpu
    for one in watching:
        one.close()
    close_log()
    return waited / batches, spent / batches


def main() -> None:
    """Load, take turns, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--docs", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    runs: dict[str, list[dict[str, Any]]] = {"none": [], "all": [], "none again": []}
    scraped: list[int] = []
    taken: list[int] = []
    with tempfile.TemporaryDirectory() as name, EmbeddedMongod(find_mongod(os.environ)) as mongod:
        folder = Path(name)
        set_up(folder)
        client: MongoClient[dict[str, Any]] = MongoClient(mongod.uri)
        with client, taker(taken) as server:
            database = client.get_database("bench", write_concern=WriteConcern("majority"))
            load_samples(database["mixed"], given.docs, seed=1)
            (folder / "address").write_text(f"json://127.0.0.1:{server}/ops")
            for number in range(given.rounds):
                first = number % len(runs)
                for way in (*list(runs)[first:], *list(runs)[:first]):
                    if way != "all":
                        run = phimask(mongod.uri, folder, "parallel", "mixed", *ALIKE)
                    else:
                        port = free_port()
                        watching = ALL.format(port=port, taker=server)
                        with scraping(port, scraped):
                            run = phimask(mongod.uri, folder, "parallel", "mixed", *ALIKE, watching)
                    runs[way].append(run)
                    time.sleep(0.5)
            waited, spent = told(folder, server)
    show(given, runs)
    warnings = {text for one in runs["all"] for text in one["report"]["warnings"]}
    print(f"a batch's event: {waited * 1e6:,.0f} µs until all were told, {spent * 1e6:,.0f} µs of CPU")
    print(f"of a run's measured time that is {waiting(runs['all'], waited):.2%}")
    print(f"{len(scraped)} scrapes, {len(taken)} pushes and messages; warnings: {sorted(warnings) or 'none'}")


def waiting(runs: list[dict[str, Any]], each: float) -> float:
    """What part of a run's measured time was spent telling observers of batches: `each` seconds for one."""
    shares = []
    for one in runs:
        (collection,) = one["report"]["collections"]
        shares.append(collection["batches"]["count"] * each / one["report"]["throughput"]["seconds"])
    return statistics.median(shares)


def show(given: Any, runs: dict[str, list[dict[str, Any]]]) -> None:
    """The table: medians, and what all observers have of none."""
    print(
        f"{given.docs:,} documents, median of {given.rounds} rounds, one mongod, {psutil.cpu_count()} cores"
    )
    print(f"{'observers':<12}{'docs/s':>9}{'µs of CPU for one':>20}{'peak RSS':>11}")
    found: dict[str, tuple[float, float]] = {}
    for way, those in runs.items():
        speeds = [one["report"]["throughput"] for one in those]
        rate = statistics.median(one["documents_per_second"] for one in speeds)
        cpu = statistics.median(one["cpu_percent"] / 100 * one["seconds"] for one in speeds) / given.docs
        found[way] = (rate, cpu)
        peak = statistics.median(one["peak"] for one in those) / 1e6
        print(f"{way:<12}{rate:>9,.0f}{cpu * 1e6:>20.1f}{peak:>8,.0f} MB")
    rate, cpu = found["none"]
    for way in ("all", "none again"):
        print(
            f"{way} of none: {found[way][0] / rate:.3f} of the rate, {found[way][1] / cpu:.3f} of the CPU time"
        )


if __name__ == "__main__":
    main()
