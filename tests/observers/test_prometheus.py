from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any
from urllib.request import urlopen

import pytest

import phimask
from phimask import events
from phimask.testing import check_observer
from phimask.testing.watching import EVENTS
from phimask_plugins.observers import Prometheus
from phimask_plugins.observers.figures import BOUNDS, METRICS, Figures
from phimask_plugins.observers.prometheus import PORT

STARTED = events.RunStarted("r1", "emergency", ("ehr.a",))
BATCH = events.BatchFinished(
    namespace="ehr.a", partition=0, documents=10, bytes=700, seconds=0.5, written=6, unchanged=2, quarantined=1,
    missing=1, rss_bytes=90, masked=(5, 6), redacted_on_error=(0, 1), kept=(2, 2), classes={"simple": 9, "complex": 1},
    ceiling_bytes=1000, worker="w1",
)  # fmt: skip


def observer(port: int = 0, linger: float = 0.0) -> Prometheus:
    """At a port that nobody has, unless one is named."""
    return Prometheus({"address": "127.0.0.1", "port": port, "linger": linger})


def port_of(watching: Prometheus) -> int:
    assert watching._server is not None
    return watching._server.server_port


@pytest.fixture
def watching() -> Iterator[Prometheus]:
    made = observer()
    made.notify(STARTED)
    yield made
    made.close()


@pytest.fixture
def port(watching: Prometheus) -> int:
    return port_of(watching)


def scraped(port: int) -> str:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        return str(answer.read().decode())


def test_it_keeps_its_interface() -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    check_observer(Prometheus, {"port": port})  # whether or not somebody else has it by now


def test_it_listens_on_this_machine_alone_unless_told_otherwise() -> None:
    defaults = {name: one["default"] for name, one in Prometheus.options_schema["properties"].items()}
    assert defaults == {"address": "127.0.0.1", "port": PORT, "linger": "0s"}


def test_what_events_tell_can_be_scraped(watching: Prometheus, port: int) -> None:
    for event in (
        events.CollectionStarted("ehr.a", None, 1000, 70_000, done=40),
        events.WorkerStarted("w1", 7), events.WorkerStarted("w2", 8),
        BATCH, BATCH,
        events.SetAside("ehr.a", 0, 16_000_000), events.PartitionFinished("ehr.a", 0),
        events.Paused("memory", 1.5), events.Paused("memory", 2.0),
        events.Holding(("replica lag", "flag file")), events.Holding(("flag file",)),
        events.BreakerTripped("failures", "3 in a row"),
        events.WorkerEnded("w2", "died", 1, replaced=True), events.WorkerEnded("w1", "done", 1),
        events.VerificationProgress("ehr.a", 5, 30),
        events.FindingMade("ehr.a", "count", "after", "Zebulon", "P.Zebulon", 3),
        events.AlertRaised("slow", "Zebulon", 1.0), events.AlertRaised("batch", "Zebulon", 1.0),
        events.AlertRaised("slow", "Zebulon", 2.0, cleared=True),
        events.Warned("Zebulon"),
    ):  # fmt: skip
        watching.notify(event)
    text = scraped(port)
    for line in (
        f'phimask_run_info{{profile="emergency",version="{phimask.__version__}"}} 1.0',
        'phimask_collection_documents{namespace="ehr.a"} 1000.0',
        'phimask_collection_bytes{namespace="ehr.a"} 70000.0',
        'phimask_resumed_documents{namespace="ehr.a"} 40.0',
        'phimask_documents_total{namespace="ehr.a",outcome="masked"} 12.0',
        'phimask_documents_total{namespace="ehr.a",outcome="unchanged"} 4.0',
        'phimask_documents_total{namespace="ehr.a",outcome="quarantined"} 2.0',
        'phimask_documents_total{namespace="ehr.a",outcome="missing"} 2.0',
        'phimask_read_bytes_total{namespace="ehr.a"} 1400.0',
        'phimask_values_total{namespace="ehr.a",outcome="masked"} 22.0',
        'phimask_values_total{namespace="ehr.a",outcome="redacted_on_error"} 2.0',
        'phimask_values_total{namespace="ehr.a",outcome="kept"} 8.0',
        'phimask_classified_documents_total{complexity="simple",namespace="ehr.a"} 18.0',
        'phimask_batch_seconds_bucket{le="0.25",namespace="ehr.a"} 0.0',
        'phimask_batch_seconds_bucket{le="0.5",namespace="ehr.a"} 2.0',
        'phimask_batch_seconds_bucket{le="+Inf",namespace="ehr.a"} 2.0',
        'phimask_batch_seconds_sum{namespace="ehr.a"} 1.0',
        'phimask_partitions_finished_total{namespace="ehr.a"} 1.0',
        'phimask_set_aside_total{namespace="ehr.a"} 1.0',
        'phimask_verified_documents{namespace="ehr.a"} 5.0',
        'phimask_findings_total{namespace="ehr.a",phase="after",validator="count"} 1.0',
        "phimask_workers 0.0",
        "phimask_memory_ceiling_bytes 1000.0",
        'phimask_workers_ended_total{reason="died"} 1.0',
        "phimask_worker_restarts_total 1.0",
        'phimask_paused_seconds_total{reason="memory"} 3.5',
        'phimask_holding{reason="replica lag"} 0.0',
        'phimask_holding{reason="flag file"} 1.0',
        'phimask_breaker_trips_total{reason="failures"} 1.0',
        'phimask_alert{rule="slow"} 0.0',
        'phimask_alert{rule="batch"} 1.0',
        'phimask_alerts_total{rule="slow"} 1.0',
        "phimask_warnings_total 1.0",
    ):
        assert f"\n{line}\n" in text, line
    assert "Zebulon" not in text
    assert 'phimask_worker_memory_bytes{worker="w1"}' not in text  # it is gone


def test_every_metric_is_there_in_a_run_with_every_event() -> None:
    watching = observer()
    before_the_end = EVENTS[: next(n for n, one in enumerate(EVENTS) if isinstance(one, events.WorkerEnded))]
    for event in (*EVENTS[:-1], *before_the_end[1:]):
        watching.notify(event)
    text = scraped(port_of(watching))
    watching.close()
    for metric in METRICS:
        name = f"{metric.name}_bucket" if metric.kind == "histogram" else metric.name
        assert f"\n{name}" in text, metric.name
        assert f"# HELP {metric.name} {metric.is_what}\n" in text
        assert f"# TYPE {metric.name} {metric.kind}\n" in text


def test_a_bucket_holds_its_own_bound() -> None:
    figures = Figures("1")
    for seconds in (0.0, BOUNDS[0], BOUNDS[-1], BOUNDS[-1] + 1):
        figures.notify(events.BatchFinished("ehr.a", 0, 1, 1, seconds, 1, 0, 0, 0, 1))
    (one,) = figures.histograms().values()
    assert (one.counts[0], one.counts[-2], one.counts[-1], sum(one.counts)) == (2, 1, 1, 4)


def test_a_port_that_cannot_be_had_is_said_and_costs_the_figures_alone() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        watching = observer(port)
        said: list[str] = []
        watching.warn = said.append
        for event in EVENTS:
            watching.notify(event)
        watching.close()
        (warning,) = said
        assert warning.startswith(f"no figures for Prometheus: port {port} of 127.0.0.1 cannot be had (")


def test_the_port_is_free_again_afterwards() -> None:
    port = 0
    for _ in range(2):
        watching = observer(port)
        watching.notify(STARTED)
        port = port_of(watching)
        assert "phimask_run_info" in scraped(port)
        watching.close()
    with pytest.raises(OSError, match=r".*"):
        scraped(port)
    assert not [one for one in threading.enumerate() if one.name == "phimask-prometheus"]


def test_the_end_waits_for_one_more_scrape() -> None:
    watching = observer(linger=600.0)
    watching.notify(STARTED)
    port = port_of(watching)
    scraped(port)
    watching.notify(BATCH)
    watching.notify(events.RunFinished("completed", {}))
    closing = threading.Thread(target=watching.close)
    closing.start()
    text = scraped(port)
    closing.join()
    assert 'phimask_documents_total{namespace="ehr.a",outcome="masked"} 6.0' in text


def test_a_scrape_before_the_last_alert_is_not_the_last() -> None:
    watching = observer(linger=600.0)
    watching.notify(STARTED)
    port = port_of(watching)
    watching.notify(events.RunFinished("completed", {}))
    assert 'phimask_alert{rule="finished"}' not in scraped(port)
    watching.notify(events.AlertRaised("finished", "it ended", 1.0))
    closing = threading.Thread(target=watching.close)
    closing.start()
    closing.join(0.2)
    assert closing.is_alive()
    assert 'phimask_alert{rule="finished"} 1.0' in scraped(port)
    closing.join()


def test_an_answer_that_is_being_given_is_given_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    watching = observer(linger=600.0)
    watching.notify(STARTED)
    port = port_of(watching)
    watching.notify(BATCH)
    watching.notify(events.RunFinished("completed", {}))
    go, happened = threading.Event(), threading.Event()
    order: list[str] = []
    values, wait = Figures.values, watching._answers.wait

    def values_at_last(self: Figures, name: str) -> Any:
        go.wait()
        return values(self, name)

    def waits(seconds: float) -> None:
        assert 0 < seconds < 60
        order.append(f"waits for {watching._answers._given}")
        happened.set()
        wait(60)

    def close() -> None:
        watching.close()
        order.append("closed")
        happened.set()

    monkeypatch.setattr(Figures, "values", values_at_last)
    monkeypatch.setattr(watching._answers, "wait", waits)
    texts: list[str] = []
    scraping = threading.Thread(target=lambda: texts.append(scraped(port)))
    scraping.start()
    closing = threading.Thread(target=close)
    closing.start()
    happened.wait()
    before = list(order)
    go.set()
    closing.join()
    assert before == ["waits for 1"]
    assert watching._answers._given == 0
    scraping.join()
    assert 'outcome="masked"} 6.0' in texts[0]


def test_who_asks_for_nothing_is_not_waited_for(
    watching: Prometheus, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    begin = watching._answers.begin
    monkeypatch.setattr(watching._answers, "begin", lambda: (begun.append("one"), begin()))
    with socket.create_connection(("127.0.0.1", port)):
        assert "phimask_run_info" in scraped(port)  # which is accepted after the other
        assert begun == ["one"]


def test_who_goes_away_in_the_middle_leaves_nothing_behind(
    watching: Prometheus, port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    for sent in (b"", b"GET /met", b"\x00\xff\r\n\r\n", b"GET /metrics HTTP/1.1\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", port)) as one:
            one.sendall(sent)
    assert "phimask_run_info" in scraped(port)
    assert capsys.readouterr().err == ""
