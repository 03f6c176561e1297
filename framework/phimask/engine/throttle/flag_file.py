"""The panic button: while a file is there, work stands still."""

from __future__ import annotations

from pathlib import Path

from phimask.engine.throttle.source import Source


class FlagFile(Source):
    """Whether there is anything at `path`, whatever it holds."""

    reason = "flag file"

    def __init__(self, path: Path) -> None:
        self._path = path

    def holds(self) -> bool:
        """Raises OSError where one cannot look."""
        try:
            self._path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def detail(self) -> str:
        """Which file to remove."""
        return f"{self._path} is there; remove it to go on"
