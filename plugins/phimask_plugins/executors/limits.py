"""What befalls workers that die, hang or grow, in the words of options: the same wherever the workers are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Limits:
    """How many workers, and what befalls them. Sizes in bytes, times in seconds."""

    workers: int
    memory: int
    restarts: int
    period: float
    backoff: float
    patience: float
    stagger: float


LIMIT_OPTIONS: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "restarts": {
            "type": "integer",
            "minimum": 0,
            "default": 5,
            "description": "so many workers may die or hang within `period`; one more, and the run stops safely",
        },
        "period": {
            "format": "duration",
            "default": "10m",
            "description": "what `restarts` counts in",
        },
        "backoff": {
            "format": "duration",
            "default": "1s",
            "description": "how long the place of one that died stays empty; doubled with each death within "
            "`period`, up to a minute",
        },
        "patience": {
            "format": "duration",
            "default": "5m",
            "description": "a worker that gives no sign of going on for so long, while it is not held, is killed "
            "and replaced",
        },
        "stagger": {
            "format": "duration",
            "default": "100ms",
            "description": "the time between the starts of two workers",
        },
    }
)


def refuse_nothing(options: Mapping[str, Any]) -> None:
    """Raises ValueError for a memory, a patience or a period of nothing."""
    for name in ("memory", "patience", "period"):
        if not options[name] > 0:
            raise ValueError(f"{name} is nothing; give it a positive amount")


def limits(options: Mapping[str, Any], workers: int) -> Limits:
    """For so many workers."""
    return Limits(
        workers=workers,
        memory=options["memory"],
        restarts=options["restarts"],
        period=options["period"],
        backoff=options["backoff"],
        patience=options["patience"],
        stagger=options["stagger"],
    )
