"""Past runs compared, collection by collection: how fast, with what memory, and what was not as the time before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from phimask.config.wording import plain
from phimask.observing.wording import counted, lasting, sized

_COMPARED: Final = (
    ("profile", "profile"),
    ("phimask_version", "phimask"),
    ("config_digest", "configuration"),
    ("key_fingerprint", "key"),
)
_OF_COLLECTION: Final = (("write_path", "write path"), ("target", "target"))


@dataclass(frozen=True, slots=True)
class Kept:
    """A run as the ledger keeps it: its standing now, and the report of the last time that it ended."""

    run: str
    standing: str
    report: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Past:
    """One collection in one run. Of a resumed run, speed, seconds and memory are from its last resume on; None: not
    measured. `change_percent`: of documents a second, against the run before; `changed`: what else was not as then."""

    namespace: str
    run_id: str
    standing: str
    started: str
    profile: str
    documents: int
    quarantined: int
    findings: int
    seconds: float | None
    documents_per_second: float | None
    mb_per_second: float | None
    peak_rss_bytes: int | None
    workers: int
    change_percent: float | None = None
    changed: tuple[str, ...] = field(default_factory=tuple)

    def entry(self) -> dict[str, Any]:
        """As JSON has it."""
        return {**asdict(self), "changed": list(self.changed)}


def history(kept: Sequence[Kept]) -> dict[str, list[Past]]:
    """By namespace, each the newest run first, as `kept` is."""
    found: dict[str, list[Past]] = {}
    last: dict[str, tuple[Past, Mapping[str, Any], Mapping[str, Any]]] = {}
    for one in reversed(kept):
        for collection in one.report["collections"]:
            past = _past(one, collection)
            before = last.get(past.namespace)
            if before is not None:
                changed = (
                    *_changed(before[1], one.report),
                    *_differing(before[2], collection, _OF_COLLECTION),
                )
                past = _compared(past, before[0], changed)
            last[past.namespace] = (past, one.report, collection)
            found.setdefault(past.namespace, []).insert(0, past)
    return dict(sorted(found.items()))


def render(found: Mapping[str, Sequence[Past]], console: Console) -> None:
    """Print a table a collection."""
    for namespace, runs in found.items():
        table = Table(box=None, pad_edge=False, show_edge=False, header_style="dim", padding=(0, 1, 0, 0))
        table.add_column("run", overflow="fold", min_width=22)
        for name in ("documents", "time", "docs/s", "change", "MB/s", "memory", "workers"):
            table.add_column(name, justify="right", no_wrap=True)
        for past in runs:
            table.add_row(*(_safe(cell, console) for cell in _cells(past)))
        console.print(Text(_encodable(plain(namespace), console), "bold cyan"))
        console.print(Padding(table, (0, 0, 0, 2), expand=False))
        for past in runs:
            console.print(
                Padding(_safe(f"{past.run_id}: {_said(past)}", console), (0, 0, 0, 2), expand=False)
            )
        console.print()


def _cells(past: Past) -> Iterator[str]:
    yield past.run_id
    yield f"{past.documents:,}"
    yield "" if past.seconds is None else lasting(past.seconds)
    yield "" if past.documents_per_second is None else f"{past.documents_per_second:,.0f}"
    yield "" if past.change_percent is None else f"{past.change_percent:+.0f} %"
    yield "" if past.mb_per_second is None else f"{past.mb_per_second:,.1f}"
    yield "" if past.peak_rss_bytes is None else sized(past.peak_rss_bytes)
    yield f"{past.workers:,}"


def _said(past: Past) -> str:
    told = f"{past.standing}, profile {past.profile}"
    if past.findings:
        told += f", {counted(past.findings, 'finding')}"
    return f"{told}; changed: {', '.join(past.changed)}" if past.changed else told


def _safe(text: str, console: Console) -> Text:
    return Text(_encodable(plain(text), console))


def _encodable(text: str, console: Console) -> str:
    return text.encode(console.encoding, "backslashreplace").decode(console.encoding)


def _past(one: Kept, collection: Mapping[str, Any]) -> Past:
    documents, batches = collection["documents"], collection["batches"]
    seconds = collection.get("seconds") or None
    return Past(
        namespace=collection["namespace"],
        run_id=one.run,
        standing=one.standing,
        started=one.report["started"],
        profile=one.report["profile"],
        documents=documents["masked"] + documents["unchanged"],
        quarantined=documents["quarantined"],
        findings=sum(found["count"] for result in collection["verification"] for found in result["findings"]),
        seconds=seconds,
        documents_per_second=round(batches["documents"] / seconds, 1) if seconds else None,
        mb_per_second=round(batches["bytes"] / seconds / 1e6, 2) if seconds else None,
        peak_rss_bytes=collection["memory"]["peak_rss_bytes"],
        workers=one.report["throughput"]["workers"],
    )


def _compared(past: Past, before: Past, changed: Sequence[str]) -> Past:
    now, then = past.documents_per_second, before.documents_per_second
    percent = None if not now or not then else round(100 * (now - then) / then, 1)
    return Past(**{**asdict(past), "change_percent": percent, "changed": tuple(changed)})


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    yield from _differing(before, now, _COMPARED)
    old, new = before.get("software", {}), now.get("software", {})
    for name in dict.fromkeys([*old, *new]):
        if old.get(name) != new.get(name):
            yield f"{name} {old.get(name, 'unknown')} -> {new.get(name, 'unknown')}"
    workers = (before["throughput"]["workers"], now["throughput"]["workers"])
    if workers[0] != workers[1]:
        yield f"workers {workers[0]} -> {workers[1]}"


def _differing(
    before: Mapping[str, Any], now: Mapping[str, Any], compared: Sequence[tuple[str, str]]
) -> Iterator[str]:
    for key, name in compared:
        old, new = before.get(key), now.get(key)
        if old == new:
            continue
        if key in ("config_digest", "key_fingerprint"):
            yield f"another {name}" if old and new else f"{name} {'added' if new else 'no longer used'}"
        else:
            yield f"{name} {old or 'none'} -> {new or 'none'}"
