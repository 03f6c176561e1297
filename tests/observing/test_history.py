from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from phimask.observing.history import Kept, history, render


def kept(run: str, documents: int, seconds: float, **changed: Any) -> Kept:
    namespace = changed.pop("namespace", "ehr.people")
    report: dict[str, Any] = {
        "started": "2026-07-29T10:15:00.000Z", "profile": "parallel", "phimask_version": "0.1.0", "config_digest": "d",
        "key_fingerprint": "f", "software": {"mongodb": "6.0.5"}, "throughput": {"workers": 2}, **changed,
    }  # fmt: skip
    report["collections"] = [
        {
            "namespace": namespace,
            "target": None,
            "write_path": "set",
            "seconds": seconds,
            "documents": {"masked": documents, "unchanged": 1, "quarantined": 0},
            "batches": {"documents": documents, "bytes": 1_000_000 * documents},
            "memory": {"peak_rss_bytes": 120_000_000},
            "verification": [{"findings": [{"count": 3}]}],
        }
    ]
    return Kept(run, "completed", report)


RUNS = [
    kept("r4", 900, 10.0, namespace="ehr.visits"),
    kept(
        "r3",
        300,
        2.0,
        config_digest="e",
        key_fingerprint=None,
        software={"mongodb": "7.0"},
        profile="production",
    ),
    kept("r2", 100, 1.0, throughput={"workers": 4}),
    kept("r1", 400, 5.0),
]


def test_each_run_is_held_against_the_one_before_it_on_the_same_collection() -> None:
    found = history(RUNS)
    assert {name: [past.run_id for past in runs] for name, runs in found.items()} == {
        "ehr.people": ["r3", "r2", "r1"],
        "ehr.visits": ["r4"],
    }
    third, second, first = found["ehr.people"]
    assert (first.change_percent, first.changed) == (None, ())
    assert (first.documents, first.documents_per_second, first.mb_per_second, first.findings) == (
        401,
        80.0,
        80.0,
        3,
    )
    assert (second.change_percent, second.changed) == (25.0, ("workers 2 -> 4",))
    assert third.change_percent == 50.0
    assert third.changed == (
        "profile parallel -> production",
        "another configuration",
        "key no longer used",
        "mongodb 6.0.5 -> 7.0",
        "workers 4 -> 2",
    )
    assert found["ehr.visits"][0].changed == ()


def test_what_was_not_measured_is_not_made_up() -> None:
    old = kept("r1", 100, 1.0)
    del old.report["collections"][0]["seconds"], old.report["software"]
    (first, none) = history([kept("r2", 0, 0.0), old])["ehr.people"]
    assert (none.seconds, none.documents_per_second, first.change_percent) == (None, None, None)
    assert "mongodb unknown -> 6.0.5" in first.changed


def test_the_table_fits_a_terminal_and_steers_none() -> None:
    out = io.StringIO()
    found = history([kept("20260729-101500-abcdef", 20_000, 222.0, namespace="ehr.\x1b[31mx"), *RUNS])
    render(found, Console(file=out, width=80, force_terminal=False))
    shown = out.getvalue()
    assert "20260729-101500-abcdef" in shown
    assert "+50 %" in shown
    assert "changed: profile parallel -> production, another configuration" in " ".join(shown.split())
    assert "120 MB" in shown
    assert shown.splitlines()[1].rstrip().endswith("workers")
    assert "…" not in shown
    assert "\x1b" not in shown
