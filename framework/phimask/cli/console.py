"""Tables and colours for people, on stderr."""

from __future__ import annotations

import re
import sys
from typing import IO, Final, TextIO, cast

from rich.console import Console
from rich.table import Table

_UNBOUNDED: Final = 1_000_000
"""Columns that a pipe and a file have: nothing that is written there is to be cut or wrapped."""
_TRAILING: Final = re.compile(r" +(?=\n)")


class PersonConsole(Console):
    """Tables and colours on stderr, as wide as the terminal, and as they come where it is none.

    Brackets and colons are what they are. A reader that goes away (`2>&1 | head`) costs the rest, not the exit code.
    """

    def __init__(self) -> None:
        terminal = sys.stderr is None or sys.stderr.isatty()
        super().__init__(
            stderr=True,
            file=None if terminal else cast("IO[str]", _Trimmed(sys.stderr)),
            width=None if terminal else _UNBOUNDED,
            markup=False,
            emoji=False,
        )

    def on_broken_pipe(self) -> None:
        """Let it go."""


class _Trimmed:
    """A stream whose lines have no blanks at their ends, with which a table fills its last column. Whole lines are
    written at a time."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.encoding = stream.encoding

    def write(self, text: str) -> int:
        return self._stream.write(_TRAILING.sub("", text))

    def flush(self) -> None:
        self._stream.flush()

    def isatty(self) -> bool:
        return False


def table(*headings: str) -> Table:
    """A table without lines. What is wider than its column goes on below, so that no name is cut."""
    made = Table(box=None, pad_edge=False)
    for heading in headings:
        made.add_column(heading, overflow="fold")
    return made
