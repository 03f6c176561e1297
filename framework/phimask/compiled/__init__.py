"""Walks over raw BSON that a C compiler has made fast, where one was there when phimask was installed.

Each does what a walk in Python does, faster, and nothing else: without them all works as it does with them. With
PHIMASK_PURE_PYTHON=1 in the environment they are not used. The modules are in the package `phimask_compiled`, which
`hatch_build.py` makes.
"""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Final

from phimask.compiled.sources import digest

__all__ = ["AVAILABLE", "MISSING", "beside", "fingerprints", "originals", "patch", "shape", "walk"]

beside: ModuleType | None
fingerprints: ModuleType | None
originals: ModuleType | None
patch: ModuleType | None
shape: ModuleType | None
walk: ModuleType | None


def _missing() -> str:
    """Why the compiled modules are not to be used; empty: they are, and are imported."""
    if os.environ.get("PHIMASK_PURE_PYTHON", "") not in {"", "0"}:
        return "PHIMASK_PURE_PYTHON is set"
    try:
        built = import_module("phimask_compiled")
    except ImportError:
        return "they were not compiled when phimask was installed"
    if digest(Path(__file__).parent) not in {"", built.SOURCES}:
        return "they are older than their sources: install phimask again"
    __path__[:0] = built.__path__
    try:
        for module in iter_modules(built.__path__):
            import_module(f"{__name__}.{module.name}")
    except ImportError:
        return "they cannot be loaded here"
    return ""


MISSING: Final = _missing()
"""Why the walks in Python are used instead; empty where these are."""

if MISSING:
    beside = fingerprints = originals = patch = shape = walk = None
else:
    from phimask.compiled import beside, fingerprints, originals, patch, shape, walk

AVAILABLE: Final = not MISSING
"""Whether they are used."""
