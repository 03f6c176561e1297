"""Which sources the walks were compiled from, so that none is used that is older than its source."""

from __future__ import annotations

import hashlib
from pathlib import Path


def digest(folder: Path) -> str:
    """Of all Cython sources in a folder; an empty text where there are none, as in an installed package."""
    sources = sorted(path for path in folder.iterdir() if path.suffix in {".pyx", ".pxd"})
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest() if sources else ""
