"""One look at the ledger: all runs in short, and one of them in full, as what is sent to pages."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Any, Final

from phimask.ledger.opening import Ledger
from phimask.ledger.run_record import SILENCE_SECONDS, Pin, RunRecord
from phimask.ledger.runs import Runs
from phimask.ledger.swaps import Swaps
from phimask.monitor.following import Followed
from phimask.monitor.partitions import COUNTS, CollectionPartitions

LISTED: Final = 50
"""Runs in the list."""

_REMEMBERED: Final = 8
"""Runs that were looked at: with more than that, those that nobody looks at now are forgotten."""

Sections = dict[str, Any]
"""What a page is sent, by part: each part is sent again when it has changed."""


class Looker:
    """Looks at runs, and remembers of each that it looked at what does not have to be read again."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._runs = Runs(ledger)
        self._followed: dict[str, Followed] = {}
        self._ahead = 0

    def look(self, wanted: Iterable[str]) -> tuple[list[Sections], dict[str, Sections]]:
        """The list of runs, and the sections of those that are wanted: by id, or `""` for the live or latest one.

        Raises PyMongo's errors.
        """
        records = self._runs.latest(LISTED)
        shown: dict[str, Sections] = {}
        seen: dict[str, Sections] = {}
        for name in wanted:
            record = self._chosen(name, records)
            if record is None:
                shown[name] = {"run": None}
                continue
            if record.id not in seen:
                seen[record.id] = self._sections(record)
            shown[name] = seen[record.id]
        if len(self._followed) > _REMEMBERED:
            self._followed = {run: one for run, one in self._followed.items() if run in seen}
        return [_in_short(record) for record in records], shown

    def _chosen(self, name: str, records: list[RunRecord]) -> RunRecord | None:
        if name:
            return next((one for one in records if one.id == name), None) or self._runs.find(name)
        return next((one for one in records if one.live), records[0] if records else None)

    def _sections(self, record: RunRecord) -> Sections:
        followed = self._followed.setdefault(record.id, Followed(self._ledger, record.id))
        followed.catch_up()
        if not record.live and followed.settled is not None and followed.settled[0] == record:
            return followed.settled[1]
        partitions = followed.partitions
        partitions.read(record)
        report = None if record.live else self._runs.report(record.id)
        swaps = {one.namespace: one.step for one in Swaps(self._ledger, record.id).all()}
        collections = [
            _collection(record, pin, partitions[pin.namespace], followed, swaps.get(pin.namespace))
            for pin in record.pins
        ]
        sections: Sections = {
            "run": _head(record),
            "progress": _progress(record, collections, followed),
            "collections": collections,
            "strips": {pin.namespace: partitions[pin.namespace].strip() for pin in record.pins},
            "workers": self._workers(record, followed),
            "ahead": self._ahead,
            "speed": followed.speed() if record.live else None,
            "curves": followed.curves(),
            "notes": followed.notes(),
            "checks": _checks(record, followed, report),
            "ending": _ending(record, report),
        }
        followed.settled = (record, sections)
        return sections

    def _workers(self, record: RunRecord, followed: Followed) -> list[dict[str, Any]]:
        held = {
            worker: (pin.namespace, number)
            for pin in record.pins
            for number, worker in followed.partitions[pin.namespace].leased.items()
        }
        silence = {"$divide": [{"$subtract": ["$$NOW", "$seen"]}, 1000]}
        pipeline: list[Mapping[str, Any]] = [
            {"$match": {"_id.run": record.id}},
            {"$project": {"host": 1, "pid": 1, "seen": 1, "rss_bytes": 1, "silence": silence}},
        ]
        found = {one["_id"]["worker"]: one for one in self._ledger.workers.aggregate(pipeline)}
        for one in found.values():
            self._ahead = round(
                one["seen"].replace(tzinfo=timezone.utc).timestamp() + one["silence"] - time.time()
            )
            break
        rows = []
        for name in sorted({*found, *held}, key=_natural):
            one = found.get(name, {})
            namespace, number = held.get(name, (None, None))
            rows.append(
                {
                    "worker": name,
                    "state": _worker_state(one, record, holds=number is not None),
                    "host": one.get("host"),
                    "pid": one.get("pid"),
                    "namespace": namespace,
                    "partition": number,
                    "rss": one.get("rss_bytes"),
                    "seen": _milliseconds(one.get("seen")),
                }
            )
        return rows


def _natural(name: str) -> tuple[str, int]:
    letters = name.rstrip("0123456789")
    return letters, int(name[len(letters) :] or 0)


def _worker_state(worker: Mapping[str, Any], record: RunRecord, *, holds: bool) -> str:
    if not record.live:
        return "gone"
    if not worker or worker["silence"] > SILENCE_SECONDS:
        return "silent"
    if record.reasons:
        return "standing still"
    return "masking" if holds else "waiting"


def _in_short(record: RunRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "state": record.standing,
        "live": record.live,
        "profile": record.profile,
        "created": _milliseconds(record.created),
        "namespaces": [pin.namespace for pin in record.pins],
    }


def _head(record: RunRecord) -> dict[str, Any]:
    return {
        **_in_short(record),
        "command": record.command,
        "version": record.version,
        "host": record.coordinator.get("host"),
        "pid": record.coordinator.get("pid"),
        "holding": list(record.reasons) if record.live else [],
    }


def _collection(
    record: RunRecord,
    pin: Pin,
    partitions: CollectionPartitions,
    followed: Followed,
    step: str | None,
) -> dict[str, Any]:
    namespace, counts, states = pin.namespace, partitions.counts, partitions.states
    cut, done = namespace in record.cut, record.has_masked_all(namespace, states)
    total = counts["read"] if done else followed.total(namespace)
    if total is None and cut and not partitions.uncounted:
        total = partitions.documents
    if total is None:
        total = pin.documents
    return {
        "namespace": namespace,
        "target": pin.target,
        "documents": {name: counts[name] for name in COUNTS},
        "total": total,
        "done": done,
        "partitions": {**{name: states[name] for name in ("open", "leased", "done")}, "all_known": cut},
        "checking": followed.verifying(namespace) if record.live and done else None,
        "shadow": step,
    }


def _progress(record: RunRecord, collections: list[dict[str, Any]], followed: Followed) -> dict[str, Any]:
    """All collections, those not begun yet with the documents that they were planned with; `unknown` is how many have
    none, as in runs of versions that noted none."""
    known = [one for one in collections if one["total"] is not None]
    read = sum(min(one["documents"]["read"], one["total"]) for one in known)
    total = sum(one["total"] for one in known)
    at_work = record.live and not record.reasons
    return {
        "read": read,
        "total": total,
        "unknown": len(collections) - len(known),
        "quarantined": sum(one["documents"]["quarantined"] for one in collections),
        "forecast": followed.forecast(total - read) if at_work and total > read else None,
    }


def _checks(record: RunRecord, followed: Followed, report: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """What validators checked and found: the report's where there is one, else that of the batches so far."""
    if report is not None:
        return [
            {"namespace": one["namespace"], **check}
            for one in report.get("collections", [])
            for check in one["verification"]
        ]
    return [
        _check(pin.namespace, validator, count, followed.partitions[pin.namespace].findings)
        for pin in record.pins
        for validator, count in sorted(followed.partitions[pin.namespace].checked.items())
    ]


def _check(
    namespace: str, validator: str, checked: int, findings: Counter[tuple[str, str, str | None]]
) -> dict[str, Any]:
    found = [
        {"what": what, "path": path, "count": count}
        for (name, what, path), count in findings.items()
        if name == validator and count
    ]
    return {
        "namespace": namespace,
        "validator": validator,
        "phase": "during",
        "checked": checked,
        "findings": found,
        "ok": not found,
    }


def _ending(record: RunRecord, report: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if report is None or record.live:
        return None
    return {
        "because": report.get("stopped_because"),
        "finished": report.get("finished"),
        "seconds": report.get("throughput", {}).get("seconds"),
        "documents_per_second": report.get("throughput", {}).get("documents_per_second"),
    }


def _milliseconds(at: Any) -> int | None:
    """Of a date as PyMongo decodes it."""
    return int(at.replace(tzinfo=timezone.utc).timestamp() * 1000) if isinstance(at, datetime) else None
