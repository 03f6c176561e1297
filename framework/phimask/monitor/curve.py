"""A run over time, as few enough spans that a plot can show them and a page can be sent them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from phimask.observing.series import Point

MOST_SPANS: Final = 180
"""Of one curve: more than that are closer together than a plot's dots."""
_FINEST: Final = 2
"""Seconds of the shortest span: batches come in lumps, and shorter ones would show nothing else."""


@dataclass(slots=True)
class Span:
    """All points that were entered in the `step` seconds from `start` (Unix time) on.

    `held` and `checking`: for how much of `seconds` work stood still, or was verification and no masking. `typical` and
    `longest`: seconds of its batches.
    """

    start: int
    seconds: float = 0.0
    documents: int = 0
    bytes: int = 0
    batches: int = 0
    typical: float = 0.0
    longest: float = 0.0
    rss_max: int = 0
    rss_total: int = 0
    ceiling: int = 0
    workers: int = 0
    held: float = 0.0
    checking: float = 0.0

    def add(self, other: Span) -> None:
        """Take in what came after it. The typical batch is the mean of medians, weighted by their batches."""
        batches = self.batches + other.batches
        if batches:
            self.typical = (self.typical * self.batches + other.typical * other.batches) / batches
        self.batches = batches
        self.seconds += other.seconds
        self.documents += other.documents
        self.bytes += other.bytes
        self.held += other.held
        self.checking += other.checking
        self.longest = max(self.longest, other.longest)
        self.rss_max = max(self.rss_max, other.rss_max)
        self.rss_total = max(self.rss_total, other.rss_total)
        self.workers = max(self.workers, other.workers)
        self.ceiling = other.ceiling or self.ceiling

    def row(self) -> list[float | None]:
        """For the page: start, documents/s, bytes/s, typical and longest batch, memory of the largest worker and of
        all, what one may reach, workers, the share of the time that stood still. What was not measured is None."""
        seconds = self.seconds or 1.0
        masking = self.seconds - self.checking
        batches = self.batches > 0
        return [
            self.start,
            round(self.documents / masking, 1) if masking > 0 else None,
            round(self.bytes / masking) if masking > 0 else None,
            round(self.typical, 3) if batches else None,
            round(self.longest, 3) if batches else None,
            self.rss_max or None,
            self.rss_total or None,
            self.ceiling or None,
            self.workers,
            round(self.held / seconds, 2),
        ]


def of_masking(point: Point) -> bool:
    """Whether it tells of masking: when all documents are masked, verification takes its time."""
    return point.documents > 0 or (point.phase == "masking" and point.done < point.total)


def span(at: float, step: int, point: Point) -> Span:
    """One point by itself, entered at the Unix time `at`."""
    return Span(
        start=int(at // step) * step,
        seconds=point.seconds,
        documents=point.documents,
        bytes=point.bytes,
        batches=point.batches,
        typical=point.batch_p50 or 0.0,
        longest=point.batch_max or 0.0,
        rss_max=point.rss_max,
        rss_total=point.rss_total,
        ceiling=point.ceiling or 0,
        workers=point.workers,
        held=point.seconds if point.holding else 0.0,
        checking=0.0 if of_masking(point) else point.seconds,
    )


class Curve:
    """Spans of equal length in the order of time, `MOST_SPANS` at most.

    When there are too many, its spans become twice as long. With `lasting` it holds so many seconds and forgets what is
    older; without, it holds everything.
    """

    def __init__(self, lasting: int | None = None) -> None:
        self._step = _FINEST
        self._lasting = lasting
        self._spans: list[Span] = []

    def add(self, at: float, point: Point) -> None:
        """A point, entered at this Unix time, none before those that were added."""
        new = span(at, self._step, point)
        if self._spans and self._spans[-1].start >= new.start:
            self._spans[-1].add(new)
            return
        self._spans.append(new)
        if self._lasting is not None:
            self._forget(new.start - self._lasting)
        if len(self._spans) > MOST_SPANS:
            self._double()

    def rows(self) -> dict[str, Any]:
        """For the page; see `Span.row`. `step` is the length of a span in seconds."""
        return {"step": self._step, "rows": [one.row() for one in self._spans]}

    def _forget(self, before: int) -> None:
        keep = next(place for place, one in enumerate(self._spans) if one.start > before)
        del self._spans[:keep]

    def _double(self) -> None:
        self._step *= 2
        merged: list[Span] = []
        for one in self._spans:
            one.start = one.start // self._step * self._step
            if merged and merged[-1].start == one.start:
                merged[-1].add(one)
            else:
                merged.append(one)
        self._spans = merged


def changed(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """What has to be sent to who has `before`: the rows from the first one on that differs.

    `since` is the start of the oldest row that still counts, `from` of the first that is sent.
    """
    rows: list[list[Any]] = after["rows"]
    if before["step"] != after["step"] or not rows:
        return {**after, "since": None, "from": None}
    old = {row[0]: row for row in before["rows"]}
    first = next((place for place, row in enumerate(rows) if old.get(row[0]) != row), len(rows))
    sent = rows[first:]
    return {
        "step": after["step"],
        "since": rows[0][0],
        "from": sent[0][0] if sent else None,
        "rows": sent,
    }
