"""Partitions as a strip: a character each, in the order in which they were cut; thousands fit into a message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

OPEN: Final = "o"
STARTED: Final = "r"
"""Open again, with a part of it done."""
DONE: Final = "d"
LEFT_OUT: Final = "q"
"""Done, with documents in quarantine."""
CRASHED: Final = "c"
"""Leased, by a worker that took it over from one that died in it."""
WITHDRAWN: Final = "x"
_TENTHS: Final = "0123456789"
"""Leased: how much of it is done."""
_HALF: Final = "5"
"""Leased, and nobody knows how many documents it has."""

_MOST_CHANGES: Final = 200
"""With more than these the strip is sent whole, which is shorter then."""


def mark(partition: Mapping[str, Any]) -> str:
    """A partition's character. Wanted of it: state, read, documents, quarantined, crashes."""
    state, read = partition["state"], partition.get("read") or 0
    if state == "done":
        return LEFT_OUT if partition.get("quarantined") else DONE
    if state == "leased":
        if partition.get("crashes"):
            return CRASHED
        documents = partition.get("documents")
        return _TENTHS[min(10 * read // documents, 9)] if documents else _HALF
    if state == "withdrawn":
        return WITHDRAWN
    return STARTED if read else OPEN


def changed(before: str | None, after: str) -> str | list[tuple[int, str]]:
    """What has to be sent to who has `before`: places and their new characters, or the whole strip."""
    if before is None or len(before) != len(after):
        return after
    places = [(place, new) for place, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]
    return after if len(places) > _MOST_CHANGES else places
