"""A run that everybody watches: figures, lines and messages are those of the report, and hold nobody's name. A run
whose watchers all fail is masked all the same."""

from __future__ import annotations

import datetime
import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pymongo.database import Database

from phimask_plugins.observers import destination
from receivers import mail_server, webhook

BORN = datetime.datetime(1951, 2, 3)  # noqa: DTZ001
CANARY = "Zebulon Quagmire-Canary"
SECRET = "hunter2-canary"
DOCUMENTS = 400

PROFILE = """\
version: 1
extends: emergency
description: everybody watches
batch_sizer: {{name: fixed, options: {{documents: 50}}}}
alerts: {{batch: 1ms, memory: 1MB}}
observers:
  - log
  - progress
  - {{name: json_log, options: {{file: {file}, rotate: 8kB, keep: 9}}}}
  - {{name: prometheus, options: {{port: {port}, linger: {linger}}}}}
  - name: notify
    options:
      wait: {wait}
      per_hour: 2
      to:
        mail: {{url: "${{MAIL}}", alerts: [finished]}}
        board: {{url: "${{BOARD}}"}}
"""


@pytest.fixture
def people(database: Database[dict[str, Any]]) -> Any:
    """People who never were, each with a name and an `_id` to look for."""
    collection = database["people"]
    collection.insert_many(
        {
            "_id": f"{CANARY}-{number}",
            "PatientId": CANARY,
            "Name": CANARY,
            "Born": BORN,
            "Visits": [{"Note": f"{CANARY} came"}],
        }
        for number in range(DOCUMENTS)
    )
    return collection


@pytest.fixture
def port() -> int:
    """A port that nobody has."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def write(folder: Path, **values: Any) -> None:
    (folder / "profiles").mkdir()
    (folder / "profiles" / "watched.yaml").write_text(PROFILE.format(**values), encoding="utf-8")


def arguments(people: Any) -> list[str]:
    return [
        "--profile",
        "watched",
        "-d",
        people.database.name,
        "-c",
        "people",
        "--yes",
        "--json",
        "--log-dir",
        "logs",
    ]


class Scraper(threading.Thread):
    """Asks for the figures until nobody answers any more; `text` are the last ones."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._address = f"http://127.0.0.1:{port}/metrics"
        self._over = threading.Event()
        self.text = ""

    def run(self) -> None:
        while not (self._over.wait(0.05) and not self.text):
            try:
                with urlopen(self._address, timeout=30) as answer:
                    self.text = answer.read().decode()
            except OSError:
                if self.text or self._over.is_set():
                    return

    def end(self) -> dict[tuple[str, ...], float]:
        self._over.set()
        self.join()
        return {
            (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(self.text)
            for sample in family.samples
        }


def test_all_who_watch_are_told_the_same_and_no_name(
    deployed: Path, people: Any, port: int, phimask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    namespace = f"{people.database.name}.people"
    scraper = Scraper(port)
    with mail_server() as mail, webhook() as board:
        monkeypatch.setenv(
            "MAIL", f"mailto://127.0.0.1:{mail.port}?from=a@example.org&to=b@example.org&mode=insecure"
        )
        monkeypatch.setenv("BOARD", f"json://phimask:{SECRET}@127.0.0.1:{board.port}/{SECRET}")
        write(deployed, file="seen/events.jsonl", port=port, linger="60s", wait="60s")
        scraper.start()
        answer = phimask(*arguments(people))
        figures = scraper.end()
    assert answer.code == 0, answer.err
    (one,) = answer.json["collections"]
    assert answer.json["warnings"] == []

    assert one["documents"]["masked"] == DOCUMENTS
    for outcome in ("masked", "unchanged", "quarantined", "missing"):
        assert figures["phimask_documents_total", namespace, outcome] == one["documents"][outcome]
    assert figures["phimask_batch_seconds_count", namespace] == one["batches"]["count"] == DOCUMENTS / 50
    assert figures["phimask_read_bytes_total", namespace] == one["batches"]["bytes"]
    for outcome in ("masked", "redacted_on_error"):
        values = sum(rule[outcome] for rule in one["rules"])
        assert figures["phimask_values_total", namespace, outcome] == values
    assert figures["phimask_alerts_total", "batch"] == figures["phimask_alerts_total", "memory"] == 1
    assert figures["phimask_alert", "finished"] == 1
    assert figures["phimask_alert", "batch"] == figures["phimask_alert", "memory"] == 0
    assert [(one["rule"], one["how"].partition(";")[0]) for one in answer.json["alerts"]] == [
        ("batch", "the run ended"),
        ("memory", "the run ended"),
    ]

    files = sorted((deployed / "seen").iterdir())
    lines = [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]
    assert len(files) > 1
    assert sum(line.get("documents", 0) for line in lines if line["event"] == "BatchFinished") == DOCUMENTS
    assert {line["run"] for line in lines} == {answer.json["run_id"]}
    assert {line["rule"] for line in lines if line["event"] == "AlertRaised"} == {
        "batch",
        "memory",
        "finished",
    }
    assert [line["rule"] for line in lines if line.get("cleared")] == ["batch", "memory"]
    (last,) = [line for line in lines if line["event"] == "RunFinished"]
    assert last["report"]["alerts"] == answer.json["alerts"]
    assert last["report"]["collections"] == [one]

    sent = [json.loads(text) for text in board.texts]
    assert [message["title"] for message in sent] == [
        f"phimask: batch ({namespace})", f"phimask: memory ({namespace})", "phimask: finished",
    ]  # fmt: skip
    assert f"run completed: {DOCUMENTS} documents masked" in sent[-1]["message"]
    assert "Held back before this: batch 1, memory 1." in sent[-1]["message"]
    assert len(mail.texts) == 1

    log = "".join(path.read_text("utf-8") for path in (deployed / "logs").iterdir())
    assert "alert batch by inline: a batch of 50 documents took" in log
    told = "".join(
        [scraper.text, *(file.read_text("utf-8") for file in files), *board.texts, *mail.texts, log]
    )
    for trace in ("Zebulon", "Quagmire", SECRET):
        assert trace not in told + answer.err + answer.out, trace


def test_watchers_that_all_fail_cost_the_run_nothing_and_are_named_once_each(
    deployed: Path, people: Any, port: int, phimask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(destination, "_AGAIN_SECONDS", 0.01)
    (deployed / "file").write_text("in the way", encoding="utf-8")
    with socket.socket() as other, mail_server() as gone, webhook("never") as silent:
        other.bind(("127.0.0.1", port))
        other.listen()
        monkeypatch.setenv("BOARD", f"json://phimask:{SECRET}@127.0.0.1:{silent.port}/{SECRET}")
        monkeypatch.setenv(
            "MAIL",
            f"mailto://u:{SECRET}@127.0.0.1:{port}?from=a@example.org&to=b@example.org&mode=insecure&cto=1",
        )
        write(deployed, file="file/events.jsonl", port=port, linger="60s", wait="100ms")
        answer = phimask(*arguments(people))
        assert gone.count == 0
    assert answer.code == 0, answer.err
    assert answer.json["collections"][0]["documents"]["masked"] == DOCUMENTS
    assert all(person["Name"] != CANARY for person in people.find())
    kept = phimask("report", answer.json["run_id"], "--json", "-d", people.database.name)
    assert kept.json == answer.json  # with what was said last, when the ledger knew of the end already
    series = people.database.client["phimask"]["masking_coordination.series"]
    notes = [one["text"] for one in series.find({"run": answer.json["run_id"], "kind": "note"})]
    warnings = sorted(answer.json["warnings"])
    expected = (
        "alerts do not reach board (observer notify): no answer before the run's end",
        "alerts do not reach mail (observer notify): no answer before the run's end",
        f"lines of the JSON log {Path('file/events.jsonl')} are lost: ",
        f"no figures for Prometheus: port {port} of 127.0.0.1 cannot be had (",
    )
    assert len(warnings) == len(expected), warnings
    assert all(map(str.startswith, warnings, expected)), warnings
    log = "".join(path.read_text("utf-8") for path in (deployed / "logs").iterdir())
    for warning in warnings:
        assert log.count(warning) == 1
        assert notes.count(warning) == 1
        assert warning in answer.err
    assert SECRET not in log + answer.err + answer.out
    assert CANARY not in log + answer.err + answer.out
