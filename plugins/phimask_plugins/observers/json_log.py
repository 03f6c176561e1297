"""The observer `json_log`: every event as a line of JSON, for machines that gather logs."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, Any, ClassVar, Final

from phimask import Expected, Observer, events, log_file

_BY_RULE: Final = ("masked", "redacted_on_error", "kept")


class JsonLog(Observer):
    """Writes one JSON object a line and event: `time` (UTC), `run`, `event` (its name) and the event's own fields.

    The fields are those of the [events](events.md): counts, names and seconds, and in `RunFinished` the whole report,
    without the quarantine list. Of a batch's counts by rule those that are not zero are written, by the rule's place in
    the report's `rules`: a file with packs has hundreds of rules, most of which meet no value. Times that events hold
    are in seconds since the epoch. A file that is there is added to. A disk that is full costs lines, which is said
    once, and never the run.
    """

    name: ClassVar[str] = "json_log"
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "file": {
                "type": ["string", "null"],
                "minLength": 1,
                "default": None,
                "description": "where to; null: `phimask-RUN.jsonl` beside the run's log, or in the current folder "
                "where there is no log",
            },
            "rotate": {
                "type": ["integer", "string", "null"],
                "format": "size",
                "minimum": 1000,
                "default": None,
                "examples": ["100MB"],
                "description": "a file that would become larger is put aside, as FILE.1 and so on, and a new one "
                "begun; null: never",
            },
            "keep": {
                "type": "integer",
                "minimum": 0,
                "default": 5,
                "description": "how many of those put aside are kept",
            },
        },
    }

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self._run: str | None = None
        self._file: RotatingFile | None = None

    def notify(self, event: events.Event) -> None:
        """Add a line; the run's beginning opens the file."""
        if isinstance(event, events.RunStarted):
            self._run = event.run_id
            self._open(event.run_id)
        if self._file is None:
            return
        entry = {
            "time": datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "run": self._run,
            "event": type(event).__name__,
            **_plain(event),
        }
        self._file.write(json.dumps(entry, default=_unknown) + "\n")
        self._say()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self, run: str) -> None:
        given: str | None = self.options["file"]
        if given is None:
            log = log_file()
            folder = Path() if log is None else log.parent
            path = folder / f"phimask-{re.sub(r'[^A-Za-z0-9._-]', '_', run)}.jsonl"
        else:
            path = Path(given)
        self._file = RotatingFile(path, self.options["rotate"], self.options["keep"])
        self._say()

    def _say(self) -> None:
        if self._file is not None and (trouble := self._file.trouble()) is not None:
            self.warn(trouble)


class RotatingFile:
    """Lines in a file that is put aside when it has become too large. Never raises: what cannot be written is lost, and
    `trouble` says so once."""

    def __init__(self, path: Path, most: int | None, keep: int) -> None:
        self._path = path
        self._most = most
        self._limit = most
        self._keep = keep
        self._file: IO[bytes] | None = None
        self._tried = float("-inf")
        self._lost = 0
        self._trouble: str | None = None
        self._told = False
        self._torn = False
        self._open()

    def write(self, line: str) -> None:
        """Add a line."""
        data = line.encode("utf-8", "backslashreplace")
        if self._torn:
            data = b"\n" + data  # what was cut off stays a line of its own
        try:
            self._make_room(len(data))
            if self._file is None and not self._open():
                self._lost += 1
                return
            whole = self._file is not None and self._file.write(data) == len(data)
        except (OSError, ValueError) as error:
            self._fail(error)
            self._lost += 1
            return
        if not whole:
            self._torn = True
            self._lost += 1
            self._fail(None)
            return
        self._torn = False

    def trouble(self) -> str | None:
        """What went wrong since; only the first time."""
        told, self._trouble = self._trouble, None
        return told

    def close(self) -> None:
        """No more lines come."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> bool:
        now = time.monotonic()
        if now - self._tried < 1.0:
            return False
        self._tried = now
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # Unbuffered: what is written is there, and what is not is known to be lost.
            self._file = self._path.open("ab", buffering=0)
        except OSError as error:
            self._fail(error)
        return self._file is not None

    def _make_room(self, size: int) -> None:
        if self._most is None or self._limit is None or self._file is None:
            return
        there = self._file.tell()
        if there == 0 or there + size <= self._limit:
            return
        self._file.close()
        self._file, self._tried = None, float("-inf")
        aside = [self._path, *(Path(f"{self._path}.{number}") for number in range(1, self._keep + 1))]
        try:
            if self._keep == 0:
                self._path.unlink()
            for number in range(self._keep, 0, -1):
                if aside[number - 1].exists():
                    aside[number - 1].replace(aside[number])
        except OSError:
            # On Windows, somebody who reads it keeps its name: it grows on, and is put aside the next time.
            self._limit = there + self._most
        else:
            self._limit = self._most

    def _fail(self, error: Exception | None) -> None:
        if not self._told:
            self._told = True
            why = (
                "the disk is full"
                if error is None
                else getattr(error, "strerror", None) or type(error).__name__
            )
            self._trouble = f"lines of the JSON log {self._path} are lost: {why}"


def _plain(one: Any) -> dict[str, Any]:
    """An event's fields."""
    values = {field.name: getattr(one, field.name) for field in fields(one)}
    if isinstance(one, events.BatchFinished):
        for name in _BY_RULE:
            values[name] = {place: count for place, count in enumerate(values[name]) if count}
    return {name: value._asdict() if isinstance(value, Expected) else value for name, value in values.items()}


def _unknown(value: object) -> object:
    # A mapping of another kind than dict is one all the same; of anything else nobody knows what it would show.
    return dict(value) if isinstance(value, Mapping) else type(value).__name__
