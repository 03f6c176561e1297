"""Tables and colours for people, on stderr."""

from __future__ import annotations

import sys
from typing import Final

from rich.console import Console
from rich.table import Table

_UNBOUNDED: Final = 1_000_000
"""Columns that a pipe and a file have: nothing that is written there is to be cut or wrapped."""


class PersonConsole(Console):
    """Tables and colours on stderr, as wide as the terminal, and as they come where it is none.

    Brackets and colons are what they are. A reader that goes away (`2>&1 | head`) costs the rest, not the exit code.
    """

    def __init__(self) -> None:
        terminal = sys.stderr is not None and sys.stderr.isatty()
        super().__init__(stderr=True, width=None if terminal else _UNBOUNDED, markup=False, emoji=False)

    def on_broken_pipe(self) -> None:
        """Let it go."""


def table(*headings: str) -> Table:
    """A table without lines. What is wider than its column goes on below, so that no name is cut."""
    made = Table(box=None, pad_edge=False)
    for heading in headings:
        made.add_column(heading, overflow="fold")
    return made
