"""How often Python looks for cycles of objects in the processes that phimask has to itself."""

from __future__ import annotations

import gc
from typing import Final

_SELDOM: Final = (100_000, 20, 20)


def look_seldom() -> None:
    """What is loaded, and what documents are taken apart into, is many objects, few of which refer to themselves: to
    look among them as often as Python does took a seventh of a command's start, and a fifth of verification."""
    gc.set_threshold(*_SELDOM)
