from __future__ import annotations

import io
import re
from datetime import datetime, timezone
from typing import Any

import pytest
from rich.console import Console

from phimask import Finding
from phimask.observing.html.page import page
from phimask.observing.report import ReportBuilder
from phimask.observing.text import render
from phimask.plugins.events import BatchFinished, BreakerTripped, CollectionStarted, Paused, Scaled, Warned

SSN, NAME, IDLE = 0, 1, 2


def builder(
    target: str | None = "ehr_masked.container", *, namespace: str = "ehr.container", **changed: Any
) -> ReportBuilder:
    ticks = iter(range(1, 1000))
    made = ReportBuilder(
        lambda: 2.0 * next(ticks), lambda: 0.0, lambda: datetime(2026, 7, 29, 10, 15, tzinfo=timezone.utc)
    )
    made.begin(
        run_id="r1", profile="emergency", version="0.1.0", config_digest="d", key_fingerprint="f", workers=2
    )
    made.collection(
        namespace,
        target,
        [("Patient.SSN", "fpe"), ("**.Name", "fake"), ("Nowhere", "hash")],
        20_000,
        2_000_000_000,
    )
    made.notify(CollectionStarted(namespace, target, 20_000, 1))
    facts: dict[str, Any] = {
        "partition": 0,
        "documents": 10_000,
        "bytes": 30_000_000,
        "seconds": 2.5,
        "written": 9_990,
        "unchanged": 10,
        "quarantined": 0,
        "missing": 0,
        "rss_bytes": 120_000_000,
        "masked": (1234, 5678, 0),
        "redacted_on_error": (0, 0, 0),
        **changed,
    }
    made.notify(BatchFinished(namespace=namespace, **facts))
    return made


def shown(report: dict[str, Any], *, terminal: bool = False, width: int = 100) -> str:
    out = io.StringIO()
    render(report, Console(file=out, force_terminal=terminal, width=width, legacy_windows=False))
    return out.getvalue()


def test_a_good_run_says_what_a_dba_asks() -> None:
    made = builder()
    made.verified("ehr.container", "count", "after", 0, [])
    made.verified("ehr.container", "untouched", "after", 20_000, [])
    told = {"simple": 0, "medium": 0, "complex": 0}
    check = {
        "sample": 1000,
        "accuracy_percent": 99.7,
        "walked_percent": 4.0,
        "matrix": {
            "simple": {**told, "simple": 600},
            "medium": {**told, "simple": 3, "medium": 397},
            "complex": told,
        },
    }
    made.complexity("ehr.container", {"simple": 60, "medium": 30, "complex": 10}, check)
    text = shown(made.finish("completed"))
    for said in (
        "phimask completed  run r1, profile emergency, version 0.1.0",
        "started 2026-07-29 10:15:00 UTC",
        "5,000 documents/s over 2.0 s of masking, 2 workers",
        "ehr.container → ehr_masked.container",
        "20,000 to mask: 9,990 masked, 10 unchanged\n",
        "1; seconds: 2.50 min, 2.50 median, 2.50 p95, 2.50 max",
        "4,000 documents/s, 12.0 MB/s (median)",
        "120 MB at most, 2.00 GB allowed",
        "60 simple, 30 medium, 10 complex",
        "99.7% of 1,000 sampled documents right, 4% by a walk",
        "told simple 600\n",
        "told simple 3, medium 397\n",
        "1,234",
        "5,678",
        "1 rule met no value",
        "✓ count afterwards: counts compared",
        "✓ untouched afterwards: 20,000 documents checked",
        "Nothing: every check passed.",
    ):
        assert said in re.sub(" +\n", "\n", text), said
    assert "Nowhere" not in text
    assert "Warnings" not in text
    assert "waited" not in text
    assert "\x1b" not in text


def test_findings_are_shown_and_what_they_mean() -> None:
    made = builder()
    made.verified(
        "ehr.container",
        "no_original",
        "after",
        7,
        [Finding("still original", "Patient.SSN", 3), Finding("x", None, 1)],
    )
    text = shown(made.finish("completed"))
    assert "✗ no_original afterwards: 7 documents checked, 4 findings" in text
    assert "Patient.SSN: still original (3 times)" in text
    assert "x (once)" in text
    assert "hand nothing on" in text
    assert "every check passed" not in text


def test_a_run_that_nobody_checked_is_not_called_good() -> None:
    text = shown(builder().finish("completed"))
    assert "every check passed" not in text
    assert "no validator looked at this run" in text


def test_a_stopped_run_says_why() -> None:
    made = builder()
    made.notify(Paused("memory", 1.5))
    made.notify(Paused("retry", 200.0))
    made.notify(BreakerTripped("failures", "3 in a row"))
    made.notify(Warned("rule X matches nothing"))
    text = shown(made.finish("stopped", "canary: 120 documents a second"))
    assert "phimask stopped" in text
    assert "canary: 120 documents a second" in text
    assert "memory 1.5 s, retry 3 min 20 s" in text
    assert "the circuit breaker opened once" in text
    assert "- rule X matches nothing" in text
    assert "nothing is half written" in text
    assert "every check passed" not in text


def test_a_failed_run_without_a_batch_is_rendered() -> None:
    made = ReportBuilder()
    made.begin(run_id="r1", profile="emergency", version="0.1.0", config_digest="d", key_fingerprint=None)
    made.collection("ehr.container", None, [("a", "hash")], 5)
    text = shown(made.finish("failed", "StoreError: code 13 (Unauthorized)"))
    assert "phimask failed" in text
    assert "StoreError: code 13 (Unauthorized)" in text
    assert "ehr.container in place" in text
    assert "Where it failed stands in the log file" in text


@pytest.mark.parametrize(
    ("target", "fate"), [("m.container", "are not in the copy"), (None, "still hold their originals")]
)
def test_quarantined_documents_are_counted_and_not_named(target: str | None, fate: str) -> None:
    made = builder(target, quarantined=2)
    made.quarantined("ehr.container", "canary-id-900-55-0100")
    made.verified("ehr.container", "count", "after", 0, [])
    text = " ".join(shown(made.finish("completed")).split())
    assert "2 quarantined" in text
    assert f"2 documents of ehr.container could not be masked and {fate}" in text
    assert "canary-id" not in text
    assert "every check passed" not in text


def test_redactions_on_error_are_pointed_out() -> None:
    made = builder(redacted_on_error=(0, 3, 0))
    made.verified("ehr.container", "no_original", "after", 7, [])
    text = shown(made.finish("completed"))
    assert "- Every check passed." in text
    assert "3 values could not be masked and became redactions" in text


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp437"])
def test_a_console_that_knows_no_unicode_gets_signs_it_knows(encoding: str) -> None:
    made = builder(namespace="ehr.Пациенты")
    made.verified("ehr.Пациенты", "count", "after", 0, [])
    made.verified("ehr.Пациенты", "untouched", "after", 1, [Finding("changed", "名前", 1)])
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding)
    render(made.finish("completed"), Console(file=file, width=100))
    file.flush()
    text = raw.getvalue().decode("ascii")
    assert "ok count" in text
    assert "!! untouched" in text
    assert "->" in text
    assert "\\u041f" in text


def test_names_neither_style_nor_steer_the_terminal() -> None:
    made = builder(namespace="ehr.[red]a[/red]\x1b[2J")
    made.notify(Warned("two\nlines [bold]x[/bold]"))
    text = shown(made.finish("completed"))
    assert "ehr.[red]a[/red]\\x1b[2J" in text
    assert "\x1b" not in text
    assert "two\\nlines [bold]x[/bold]" in text


def test_a_terminal_gets_colour_and_the_same_words() -> None:
    report = builder().finish("completed")
    coloured = shown(report, terminal=True)
    assert "\x1b[" in coloured
    assert "completed" in coloured


def test_a_narrow_terminal_loses_no_rule_or_count() -> None:
    text = shown(builder().finish("completed"), width=60)
    assert all(len(line) <= 60 for line in text.splitlines())
    for word in ("1,234", "5,678", "Patient.SSN", "**.Name"):
        assert word in text


def test_the_way_back_is_told() -> None:
    report = builder().finish("completed")
    assert "rollback" not in shown(report)
    undo = {"state": "kept", "at": report["finished"]}
    assert "`phimask rollback r1` puts them back" in shown({**report, "undo": undo})
    undo["state"] = "destroyed"
    assert "the key to the originals was destroyed 2026-07-29 10:15:00 UTC" in shown({**report, "undo": undo})


@pytest.mark.parametrize("status", ["completed", "stopped"])
def test_originals_are_said_to_be_in_the_vault_only_where_there_may_be_some(status: Any) -> None:
    made = builder(target=None, written=0, unchanged=10_000, masked=(0, 0, 0))
    report = made.finish(status, None if status == "completed" else "because")
    report["undo"] = {"state": "kept", "at": report["finished"]}
    for said in (shown(report), page(report)):
        # A batch that was cut off is counted by whoever goes on with it.
        assert ("the originals are in the vault" in said) is (status == "stopped")
        assert ("nothing was changed, so that the vault holds no originals" in said) is (
            status == "completed"
        )


@pytest.mark.parametrize(
    ("shadow", "status", "told", "untold"),
    [
        (
            {"state": "swapped", "original": "ehr.container.old"},
            "completed",
            ("kept as ehr.container.old, with PHI in it", "`phimask finalize r1` drops it", "puts it back"),
            "Nothing: every check passed",
        ),
        ({"state": "swapped", "original": None}, "completed", ("dropped", "Nothing: every check"), "PHI"),
        (
            {"state": "left", "original": "ehr.container"},
            "failed",
            ("as it was, under its name", "`phimask finalize r1` drops the shadows"),
            "Documents of finished batches are masked",
        ),
    ],
)
def test_where_the_original_is(
    shadow: dict[str, str | None], status: Any, told: tuple[str, ...], untold: str
) -> None:
    made = builder("ehr.container.phimask_shadow_r1")
    made.verified("ehr.container", "untouched", "after", 20_000, [])
    made.shadow("ehr.container", shadow)
    text = " ".join(shown(made.finish(status)).split())
    assert all(one in text for one in told), text
    assert untold not in text


def test_workers_over_time_are_told_where_their_number_was_searched_for() -> None:
    made = builder()
    for workers in (4, 8, 4, 3, 3):
        made.notify(Scaled(4, workers, "measured"))
    said = shown(made.finish("completed"))
    assert "4 at first, 3 at the end, 3 to 8 in between; changed 3 times" in said
    assert "in between" not in shown(builder().finish("completed"))
