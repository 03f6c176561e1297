"""The page's plots of a collection over time, from the points that the ledger keeps of a run."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

from phimask.observing.markup import Markup
from phimask.observing.plots import Limit, Line, over_time
from phimask.observing.series import Point

_MB: Final = 1e6
_BATCHES: Final = 3
_STRETCHES: Final = 100

_Moment: TypeAlias = tuple[float, Point | None]
"""Seconds at work so far, and what was seen; None at a stop."""


def plots(key: str, points: Sequence[tuple[int, Point]]) -> list[Markup]:
    """Plots of one collection's points, each with the number of the resume that it comes from; empty without two.

    Time is that in which the run was at work: between a stop and its resume there is none.
    """
    masking = [(epoch, one) for epoch, one in points if one.phase == "masking" or one.documents]
    if len(masking) < 2:
        return []
    moments: list[_Moment] = []
    at, before = 0.0, masking[0][0]
    for epoch, one in masking:
        if epoch != before:
            moments.append((at, None))
            before = epoch
        at += one.seconds
        moments.append((at, one))

    def line(name: str, style: str, attribute: str, *, size: float = 1.0, stepped: bool = False) -> Line:
        return Line(name, style, list(_values(moments, attribute, size)), stepped)

    ceilings = [one.ceiling for _, one in masking if one.ceiling]
    drawn = [
        over_time(f"{key}-rate", "Throughput", [Line("documents", "s1", _rates(moments))], "documents/s"),
        over_time(
            f"{key}-memory",
            "Memory of the largest worker",
            [line("resident", "s1", "rss_max", size=_MB)],
            "MB",
            Limit("ceiling", ceilings[-1] / _MB) if ceilings else None,
        ),
    ]
    if any(one.batch_p50 is not None for _, one in masking):
        lines = [line("median", "s1", "batch_p50"), line("longest", "s3", "batch_max")]
        drawn.append(over_time(f"{key}-batches", "Batch time", lines, "s"))
    if any(one.expected_p50 is not None for _, one in masking):
        lines = [line("took", "s1", "batch_p50"), line("predicted", "s2", "expected_p50")]
        drawn.append(over_time(f"{key}-expected", "Batch time, prediction against fact", lines, "s"))
    if len({one.workers for _, one in masking}) > 1:
        workers = line("workers", "s1", "workers", stepped=True)
        drawn.append(over_time(f"{key}-workers", "Workers at work", [workers], "workers"))
    return drawn


def _rates(moments: Sequence[_Moment]) -> list[tuple[float, float | None]]:
    """Documents a second, each over a stretch that several batches end in: between two looks there may be none."""
    longest = max((one.batch_max for _, one in moments if one is not None and one.batch_max), default=0.0)
    window = max(_BATCHES * longest, moments[-1][0] / _STRETCHES)
    rates: list[tuple[float, float | None]] = []
    stretch: deque[Point] = deque()
    for at, one in moments:
        if one is None:
            stretch.clear()
            rates.append((at, None))
            continue
        stretch.append(one)
        while len(stretch) > 1 and sum(each.seconds for each in stretch) - stretch[0].seconds >= window:
            stretch.popleft()
        seconds = sum(each.seconds for each in stretch)
        if seconds > 0:
            rates.append((at, sum(each.documents for each in stretch) / seconds))
    return rates


def _values(moments: Sequence[_Moment], attribute: str, size: float) -> Iterator[tuple[float, float | None]]:
    """What was measured; where nothing was, the line goes on to the next, and ends only at a stop."""
    for at, one in moments:
        value = None if one is None else getattr(one, attribute)
        if one is None or value:
            yield at, None if value is None else value / size
