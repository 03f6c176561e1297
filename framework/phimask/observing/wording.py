"""How reports word counts, times and sizes, for the text and the page alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

NOTHING_KEPT: Final = "nothing was changed, so that the vault holds no originals"


def may_hold_originals(report: Mapping[str, Any]) -> bool:
    """Whether there may be any in the run's vault: they are kept before their batch is written and counted."""
    masked = any(one["documents"]["masked"] for one in report["collections"])
    return masked or report["status"] != "completed"


def counted(number: int, name: str) -> str:
    """A number of things by the name of one: `1 rule`, `2 rules`."""
    return f"{number:,} {name}{'' if number == 1 else 's'}"


def times(number: int) -> str:
    """How often."""
    return "once" if number == 1 else f"{number:,} times"


def moment(text: str) -> str:
    """A time of day as reports have it (ISO 8601, UTC), for people."""
    return f"{text[:10]} {text[11:19]} UTC"


def lasting(seconds: float) -> str:
    """A time in seconds, in larger units where it is long."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def sized(size: float) -> str:
    """Bytes as MB or GB (powers of ten)."""
    return f"{size / 1e9:,.2f} GB" if size >= 1e9 else f"{size / 1e6:,.0f} MB"


def scaled(workers: Sequence[int]) -> str:
    """How the number of workers went."""
    changed = sum(before != after for before, after in pairwise(workers))
    return (
        f"{workers[0]} at first, {workers[-1]} at the end, {min(workers)} to {max(workers)} in between; "
        f"changed {times(changed)}"
    )


def told_alert(alert: Mapping[str, Any]) -> str:
    """An alert of the report in a line: what was so, since when, and when and how it was over."""
    where = f"{alert['namespace']}: " if alert["namespace"] else ""
    told = f"{alert['rule']} at {moment(alert['raised'])}: {where}{alert['message']}"
    return told if alert["over"] is None else f"{told}; over at {moment(alert['over'])}: {alert['how']}"


def told_classes(check: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    """How well documents' classes are told: all in one line, then a line for each class that there is."""
    if check is None:
        return
    yield (
        "told apart",
        f"{check['accuracy_percent']:g}% of {counted(check['sample'], 'sampled document')} right, "
        f"{check['walked_percent']:g}% by a walk",
    )
    for actual, told in check["matrix"].items():
        if any(told.values()):
            yield (
                f"  {actual}",
                "told " + ", ".join(f"{kind} {count:,}" for kind, count in told.items() if count),
            )


def original_kept(shadow: Mapping[str, Any]) -> str:
    """What has become of the collection that a shadow was made for."""
    if shadow["state"] != "swapped":
        return "as it was, under its name"
    return f"kept as {shadow['original']}, with PHI in it" if shadow["original"] else "dropped"
