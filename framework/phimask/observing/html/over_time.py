"""The page's parts on a run over time, from what the ledger keeps of it: plots of a collection, and what happened."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from phimask.observing.html.parts import Tone, coded, mark, path, table
from phimask.observing.markup import Markup, element, joined
from phimask.observing.plots import Limit, Line, over_time
from phimask.observing.series import Level, Note, Point, Recorded
from phimask.observing.wording import moment

_MB: Final = 1e6
_MOST_NOTES: Final = 200
_TONES: Final[Mapping[Level, Tone]] = {"information": "none", "warning": "none", "alert": "warn"}
_BATCHES: Final = 3
_STRETCHES: Final = 100

_Moment: TypeAlias = tuple[float, Point | None]
"""Seconds at work so far, and what was seen; None at a stop."""


def notes(recorded: Recorded) -> Markup | None:
    """The section on what happened besides masking; warnings and findings stand elsewhere on the page."""
    told = [(at, note) for at, note in recorded.notes if note.what not in ("Warned", "FindingMade")]
    if not told:
        return None
    left_out = len(told) - _MOST_NOTES
    return element(
        "section",
        element("h2", "Alerts and other events", id="events"),
        table(
            f"The last {_MOST_NOTES:,} of {len(told):,}" if left_out > 0 else f"{len(told):,} in all",
            ("at", "level", "what"),
            (
                (moment(at), mark(_TONES[note.level], note.level), joined(_about(note), coded(note.text)))
                for at, note in told[-_MOST_NOTES:]
            ),
        ),
        aria_labelledby="events",
    )


def _about(note: Note) -> Markup | None:
    return None if note.namespace is None else joined(path(note.namespace), ": ")


def plots(key: str, points: Sequence[tuple[int, Point]]) -> list[Markup]:
    """Plots of one collection's points, each with the number of the resume that it comes from; empty without two.

    Time is that in which the run was at work: between a stop and its resume there is none.
    """
    masking = [(epoch, one) for epoch, one in points if one.phase == "masking" or one.documents]
    while masking and not masking[-1][1].documents and masking[-1][1].done >= masking[-1][1].total:
        masking.pop()  # all is masked: what is done from here on is something else
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

    end = moments[-1][0]
    ceilings = [one.ceiling for _, one in masking if one.ceiling]
    drawn = [
        over_time(
            f"{key}-rate", "Throughput", [Line("documents", "s1", _rates(moments))], "documents/s", end=end
        ),
        over_time(
            f"{key}-memory",
            "Memory of the largest worker",
            [line("resident", "s1", "rss_max", size=_MB)],
            "MB",
            Limit("ceiling", ceilings[-1] / _MB) if ceilings else None,
            end,
        ),
    ]
    if any(one.batch_p50 is not None for _, one in masking):
        lines = [line("median", "s1", "batch_p50"), line("longest", "s3", "batch_max")]
        drawn.append(over_time(f"{key}-batches", "Batch time", lines, "s", end=end))
    if any(one.expected_p50 is not None for _, one in masking):
        lines = [line("took", "s1", "batch_p50"), line("predicted", "s2", "expected_p50")]
        drawn.append(over_time(f"{key}-expected", "Batch time, prediction against fact", lines, "s", end=end))
    if len({one.workers for _, one in masking}) > 1:
        workers = line("workers", "s1", "workers", stepped=True)
        drawn.append(over_time(f"{key}-workers", "Workers at work", [workers], "workers", end=end))
    return drawn


def _rates(moments: Sequence[_Moment]) -> list[tuple[float, float | None]]:
    """Documents a second, each over a stretch that several batches end in: between two looks there may be none."""
    longest = max((one.batch_max for _, one in moments if one is not None and one.batch_max), default=0.0)
    window = max(_BATCHES * longest, moments[-1][0] / _STRETCHES)
    rates: list[tuple[float, float | None]] = []
    stretch: deque[Point] = deque()
    seconds, documents = 0.0, 0
    for at, one in moments:
        if one is None:
            stretch.clear()
            seconds, documents = 0.0, 0
            rates.append((at, None))
            continue
        stretch.append(one)
        seconds, documents = seconds + one.seconds, documents + one.documents
        while len(stretch) > 1 and seconds - stretch[0].seconds >= window:
            first = stretch.popleft()
            seconds, documents = seconds - first.seconds, documents - first.documents
        if seconds > 0:
            rates.append((at, documents / seconds))
    return rates


def _values(moments: Sequence[_Moment], attribute: str, size: float) -> Iterator[tuple[float, float | None]]:
    """What was measured; where nothing was, the line goes on to the next, and ends only at a stop."""
    for at, one in moments:
        value = None if one is None else getattr(one, attribute)
        if one is None or value:
            yield at, None if value is None else value / size
