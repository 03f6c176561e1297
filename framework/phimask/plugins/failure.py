"""What may be told of a plugin that failed: the exception's type and the place, never its message.

A plugin's own message may hold anything (a connection string, a value it worked on), so it stays untold.
"""

from __future__ import annotations

import importlib
import importlib.util
import traceback
from pathlib import Path
from types import TracebackType
from typing import Final

import pluggy

_BACKPORT: Final = importlib.util.find_spec("importlib_metadata")
"""Stands in for Python's own wherever something brought it along."""
_MACHINERY: Final = (
    Path(str(importlib.__file__)).resolve().parent,
    *([] if _BACKPORT is None else [Path(str(_BACKPORT.origin)).resolve().parent]),
    Path(str(pluggy.__file__)).resolve().parent,
    Path(__file__).resolve().parents[1],
)
"""Where a frame is not the plugin's: what imports it, what calls it."""


def describe(error: BaseException) -> str:
    """The exception's type and the place in the plugin's own code: `KeyError at /srv/masks/initials.py:12`.

    For a module that is not there, its name as well. Where no line of the plugin ran, the type alone.
    """
    kind = type(error).__name__
    if isinstance(error, ModuleNotFoundError) and error.name:
        kind = f"{kind} (no module named {error.name})"
    place = _place(error)
    return kind if place is None else f"{kind} at {place}"


def _place(error: BaseException) -> str | None:
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).is_file():
        return f"{error.filename}:{error.lineno}"
    frames = [(Path(file), line) for file, line in _frames(error.__traceback__) if not _is_machinery(file)]
    if not frames:
        return None
    home = frames[0][0].parent
    own = [(file, line) for file, line in frames if _lies_in(home, file)]
    file, line = own[-1]
    return f"{file}:{line}"


def _frames(trace: TracebackType | None) -> list[tuple[str, int]]:
    return [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(trace)]


def _is_machinery(file: str) -> bool:
    return file.startswith("<") or any(Path(file).resolve().is_relative_to(home) for home in _MACHINERY)


def _lies_in(home: Path, file: Path) -> bool:
    # A project's folder often holds its virtual environment, whose libraries are not the plugin's own code.
    return file.is_relative_to(home) and "site-packages" not in file.relative_to(home).parts
