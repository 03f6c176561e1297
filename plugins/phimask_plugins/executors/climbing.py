"""The search for the number of workers that mask the most: it tries more and fewer of them, and keeps what is better.

Steps are factors, of two at first and then ever closer to one, so that sixteen are found as soon as three are. More
workers have to mask more by a margin; fewer may mask a little less, for they cost less. The margins are what noise in
the measurement must not be taken for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import Final, NamedTuple, TypeAlias

_FIRST_FACTOR: Final = 2.0
_NEXT_FACTOR: Final = math.sqrt(2.0)
"""Of a search that begins from what an earlier one found."""
_GAIN: Final = 0.04
"""More workers have to mask more by so much."""
_LOSS: Final = 0.03
"""Fewer workers may mask less by so much, all steps down together."""
_MOST_TRIALS: Final = 16
"""So many steps are tried at most before a rest."""
_FIRST_REST: Final = 60.0
_LONGEST_REST: Final = 600.0
"""Seconds between two searches: twice as many each time that one found nothing better, up to these."""


class Step(NamedTuple):
    """So many workers are to be measured next, after a rest of some seconds, for that reason. `more`: nobody knows yet
    whether so many may be."""

    workers: int
    because: str
    rest: float = 0.0
    more: bool = False


Search: TypeAlias = Generator[Step, "float | None", None]
"""Yields what is to be measured, and is sent the rate that so many workers have, in bytes a second; None, to `more`
only: they may not be, whatever they mask."""


def search(least: int, most: Callable[[], int], begin: int, because: str) -> Search:
    """Goes on for as long as it is asked. `most` answers how many there may be now."""
    here = begin
    rate = (yield Step(here, because)) or 0.0
    factor, rest = _FIRST_FACTOR, _FIRST_REST
    while True:
        before = here
        here, rate = yield from _climb(least, most, here, rate, factor)
        rest = _FIRST_REST if here != before else min(2 * rest, _LONGEST_REST)
        factor = _NEXT_FACTOR
        rate = (yield Step(here, f"{here} it is, with {_told(rate)}", rest)) or 0.0


def _climb(
    least: int, most: Callable[[], int], here: int, rate: float, factor: float
) -> Generator[Step, float | None, tuple[int, float]]:
    """One search, from `here` with its rate; answers with those it ends at."""
    tried: set[int] = set()
    kept = 1.0
    trials = 0
    while trials < _MOST_TRIALS:
        moved = False
        for upwards in (True, False):
            while trials < _MOST_TRIALS:
                there = _next(least, most(), here, factor, upwards=upwards)
                if there == here or there in tried:
                    break
                trials += 1
                found = yield Step(there, f"{here} have {_told(rate)}: trying {there}", more=upwards)
                if found is not None and _is_better(found, rate, kept, upwards=upwards):
                    kept = 1.0 if upwards or rate == 0 else min(1.0, kept * found / rate)
                    tried, here, rate, moved = {here}, there, found, True
                    continue
                said = "that must not be" if found is None else _told(found)
                again = (yield Step(here, f"{there}: {said}, back to {here}")) or 0.0
                # Documents change while they are masked: where it is better than what was there afterwards, it is
                # tried once more some time.
                if found is None or not _is_better(found, again, kept, upwards=upwards):
                    tried.add(there)
                rate = again
                break
        if not moved:
            if here * (factor - 1) <= 1:
                break
            factor = math.sqrt(factor)
    return here, rate


def _next(least: int, most: int, here: int, factor: float, *, upwards: bool) -> int:
    if upwards:
        return max(here, min(most, max(here + 1, round(here * factor))))
    return min(here, max(least, min(here - 1, round(here / factor))))


def _is_better(found: float, rate: float, kept: float, *, upwards: bool) -> bool:
    """`kept`: what is left, as a share, of the rate before the steps down so far."""
    return found > rate * (1 + _GAIN) if upwards else found * kept >= rate * (1 - _LOSS)


def _told(rate: float) -> str:
    return f"{rate / 1e6:,.1f} MB/s"
