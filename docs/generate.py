"""Writes docs/reference from the code, so that the reference cannot say what the code does not do.

python docs/generate.py            rewrites the pages
python docs/generate.py --check    says which pages are out of date, and writes nothing
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import click
from generator import command_line, components, configuration, hazards, interfaces, maskers, metrics, report

from phimask.plugins.loading import load_registry

REFERENCE: Final = Path(__file__).resolve().parent / "reference"


def pages() -> dict[str, str]:
    """The text of every page of the reference, by file name."""
    registry = load_registry()  # what else is installed on this machine is left out by whoever reads from it
    return {
        "command-line.md": command_line.text(),
        "components.md": components.text(registry),
        "configuration.md": configuration.text(registry),
        "events.md": interfaces.events_page(),
        "hazards.md": hazards.text(),
        "hooks.md": interfaces.hooks(),
        "metrics.md": metrics.text(),
        **{f"maskers/{name}": text for name, text in maskers.pages(registry).items()},
        "report.md": report.text(),
    }


def main(arguments: Sequence[str], say: Callable[[str], object] = click.echo) -> int:
    """Write the pages, or with `--check` compare them; the exit code is returned."""
    stale = 0
    for name, text in pages().items():
        path = REFERENCE / name
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        if before == text:
            continue
        stale += 1
        if "--check" in arguments:
            say(
                "\n".join(
                    difflib.unified_diff(before.splitlines(), text.splitlines(), name, name, lineterm="", n=1)
                )
            )
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
            say(f"wrote {path}")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
