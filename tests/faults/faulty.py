"""Maskers that are not idempotent, can be slowed down, and hang or end their process at a poisoned value.

A plugin file: it is copied into the folders of trials and loaded there by every worker.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bson.datetime_ms import DatetimeMS

from phimask import FAILED, Column, Masker, hookimpl

PACE = "FAULTS_PACE"
"""The variable that says how many seconds a document takes, so that a run takes long enough to be disturbed."""
COUNTS = os.environ.get("FAULTS_COUNTS", "")
"""A folder in which each process counts the documents that it masks."""
SKEW = float(os.environ.get("FAULTS_SKEW", "0"))
"""Seconds by which this process's clock is wrong, to one side or the other."""
FILE_BYTES = os.environ.get("FAULTS_FILE_BYTES")
"""No file of this process comes to have more bytes, as on a disk that is full; None: as many as there is room for."""
DAY = 86_400_000


if FILE_BYTES is not None:
    import resource  # where there is none, no test asks for it

    resource.setrlimit(resource.RLIMIT_FSIZE, (int(FILE_BYTES), resource.getrlimit(resource.RLIMIT_FSIZE)[1]))

if SKEW:
    _right, _wrong_by = time.time, SKEW if os.getpid() % 2 else -SKEW
    time.time = lambda: _right() + _wrong_by


class AddOne(Masker):
    """Adds 1: how often a document was masked can be read off it."""

    name = "add_one"
    types = frozenset({"int"})

    def mask(self, column: Column) -> Sequence[Any]:
        """One more each."""
        if COUNTS:
            with Path(COUNTS, str(os.getpid())).open("a", encoding="utf-8") as file:
                file.write(f"{len(column.values)}\n")
        if not Path(COUNTS, "hurry").exists():
            time.sleep(float(os.environ.get(PACE, "0")) * len(column.values))
        return [value + 1 for value in column.values]


class DayLater(Masker):
    """Moves dates by one day."""

    name = "day_later"
    types = frozenset({"date"})

    def mask(self, column: Column) -> Sequence[Any]:
        """A day later each."""
        return [DatetimeMS(int(DatetimeMS(value)) + DAY) for value in column.values]


class Stamp(Masker):
    """Puts a digest in a string's place; poisoned strings hang, fail, or end a worker's process."""

    name = "stamp"
    types = frozenset({"string"})

    def mask(self, column: Column) -> Sequence[Any]:
        """A digest each."""
        return [self._stamped(value) for value in column.values]

    def _stamped(self, text: str) -> Any:
        if "poison" in text and multiprocessing.parent_process() is not None:
            if "poison-crash" in text:
                os._exit(7)
            if "poison-hang" in text:
                time.sleep(3600)
            if "poison-fail" in text:
                return FAILED
            raise RuntimeError(text)
        return "masked " + hashlib.sha256(text.encode()).hexdigest()[:16]


@hookimpl
def phimask_register_maskers() -> list[type[Masker]]:
    """The maskers of this file."""
    return [AddOne, DayLater, Stamp]
