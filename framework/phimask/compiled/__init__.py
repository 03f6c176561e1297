"""Walks over raw BSON that a C compiler has made fast, where one was there when phimask was installed.

Each does what a walk in Python does, faster, and nothing else: without them all works as it does with them. With
PHIMASK_PURE_PYTHON=1 in the environment they are not used.
"""

from __future__ import annotations

import os
from types import ModuleType
from typing import Final

beside: ModuleType | None
patch: ModuleType | None
shape: ModuleType | None
walk: ModuleType | None

if os.environ.get("PHIMASK_PURE_PYTHON", "0") != "0":
    beside = patch = shape = walk = None
else:
    try:
        from phimask.compiled import beside, patch, shape, walk
    except ImportError:
        beside = patch = shape = walk = None

AVAILABLE: Final = walk is not None
"""Whether they are used."""
