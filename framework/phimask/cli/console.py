"""Tables and colours for people, on stderr."""

from __future__ import annotations

from rich.console import Console


class PersonConsole(Console):
    """Tables and colours on stderr; a reader that goes away (`2>&1 | head`) costs the rest, not the exit code."""

    def __init__(self) -> None:
        super().__init__(stderr=True)

    def on_broken_pipe(self) -> None:
        """Let it go."""
