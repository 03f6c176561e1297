"""The observer `log`: one line an event, with counts, names and seconds, in the run's log."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import singledispatch
from typing import Any, ClassVar, Final

from phimask import Observer, events

_LOGGER: Final = logging.getLogger("phimask.events")


class LogObserver(Observer):
    """Writes every event to the logger `phimask.events`: what a person must know as a warning, else as information."""

    name: ClassVar[str] = "log"

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self._batches: dict[str, int] = {}
        self._held: set[str] = set()

    def notify(self, event: events.Event) -> None:
        """One line; batches are numbered within their collection. What workers logged is in the log already."""
        if isinstance(event, events.Logged):
            return
        if isinstance(event, events.Holding):
            self._held.update(event.reasons)
        elif isinstance(event, events.Paused) and event.reason in self._held:
            return  # each worker's part of what was said when it began and when it was over
        level, text = _line(event)
        if isinstance(event, events.BatchFinished):
            number = self._batches[event.namespace] = self._batches.get(event.namespace, 0) + 1
            text = f"{event.namespace}: batch {number} {text}"
        _LOGGER.log(level, "%s", text)


def _by(worker: str) -> str:
    return f" by {worker}" if worker else ""


@singledispatch
def _line(event: events.Event) -> tuple[int, str]:
    # An event that this module does not know yet: its fields are not either.
    return logging.INFO, type(event).__name__


@_line.register
def _(event: events.RunStarted) -> tuple[int, str]:
    namespaces = ", ".join(event.collections)
    return logging.INFO, f"run {event.run_id} started, profile {event.profile}, collections {namespaces}"


@_line.register
def _(event: events.CollectionStarted) -> tuple[int, str]:
    where = "in place" if event.target is None else f"into {event.target}"
    return (
        logging.INFO,
        f"{event.namespace}: started {where}, {event.documents} documents, {event.bytes} bytes",
    )


@_line.register
def _(event: events.PartitionStarted) -> tuple[int, str]:
    size = "" if event.documents is None else f", about {event.documents} documents"
    return logging.INFO, f"{event.namespace}: partition {event.partition} started{_by(event.worker)}{size}"


@_line.register
def _(event: events.BatchFinished) -> tuple[int, str]:
    return logging.INFO, (
        f"of partition {event.partition}{_by(event.worker)}: "
        f"{event.documents} documents, {event.bytes} bytes, {event.seconds:.3f} s, "
        f"{event.written} written, {event.unchanged} unchanged, {event.quarantined} quarantined, "
        f"{event.missing} missing, {sum(event.masked)} values masked, "
        f"{sum(event.redacted_on_error)} redacted on error, {event.rss_bytes} bytes resident"
    )


@_line.register
def _(event: events.PartitionFinished) -> tuple[int, str]:
    return logging.INFO, f"{event.namespace}: partition {event.partition} finished{_by(event.worker)}"


@_line.register
def _(event: events.SetAside) -> tuple[int, str]:
    return logging.INFO, (
        f"{event.namespace}: partition {event.partition} begins with a document of {event.bytes} bytes now and is set "
        "aside: it is masked after all others"
    )


@_line.register
def _(event: events.Paused) -> tuple[int, str]:
    who = f"{event.worker} " if event.worker else ""
    return logging.INFO, f"{who}stood still for {event.seconds:.3f} s: {event.reason}"


@_line.register
def _(event: events.MemorySpent) -> tuple[int, str]:
    return logging.WARNING, (
        f"{event.worker or 'this process'} holds {event.rss_bytes} bytes and cannot give them back but by its end"
    )


@_line.register
def _(event: events.Holding) -> tuple[int, str]:
    return (
        logging.INFO,
        f"standing still: {event.detail or ', '.join(event.reasons)}" if event.reasons else "going on",
    )


@_line.register
def _(event: events.WorkerStarted) -> tuple[int, str]:
    return logging.INFO, f"worker {event.worker} started, process {event.pid}"


@_line.register
def _(event: events.WorkerEnded) -> tuple[int, str]:
    level = logging.WARNING if event.reason in ("died", "hung", "failed") else logging.INFO
    replaced = ", to be replaced" if event.replaced else ""
    return level, (
        f"worker {event.worker} ended: {event.reason}{replaced}, {event.restarts} restarts so far, "
        f"{event.cpu_seconds:.1f} s of CPU, at most {event.peak_rss_bytes} bytes resident"
    )


@_line.register
def _(event: events.Scaled) -> tuple[int, str]:
    than = "as before" if event.workers == event.before else f"rather than {event.before}"
    return logging.INFO, f"workers: {event.workers} {than}: {event.because}"


@_line.register
def _(event: events.BreakerTripped) -> tuple[int, str]:
    return logging.WARNING, f"the circuit breaker opened: {event.reason}: {event.detail}"


@_line.register
def _(event: events.FindingMade) -> tuple[int, str]:
    where = "" if event.path is None else f" at {event.path}"
    return logging.WARNING, (
        f"{event.namespace}: {event.validator} ({event.phase}) found{where}: {event.what} ({event.count})"
    )


@_line.register
def _(event: events.VerificationProgress) -> tuple[int, str]:
    return logging.INFO, f"{event.namespace}: {event.checked} of {event.documents} documents verified"


@_line.register
def _(event: events.Warned) -> tuple[int, str]:
    return logging.WARNING, event.message


@_line.register
def _(event: events.AlertRaised) -> tuple[int, str]:
    where = f"{event.namespace}: " if event.namespace else ""
    over = " is over" if event.cleared else ""
    level = logging.INFO if event.cleared or event.rule == "finished" else logging.WARNING
    return level, f"{where}alert {event.rule}{over}{_by(event.worker)}: {event.message}"


@_line.register
def _(event: events.CollectionFinished) -> tuple[int, str]:
    counts = event.report.get("documents", {})
    told = ", ".join(f"{counts[name]} {name}" for name in counts)
    return logging.INFO, f"{event.namespace}: finished, documents: {told}"


@_line.register
def _(event: events.RunFinished) -> tuple[int, str]:
    level = logging.INFO if event.status == "completed" else logging.WARNING
    return level, f"run {event.status}"
