"""Looking for planted values in everything that a run leaves behind."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def forms(canary: str) -> list[bytes]:
    """How a value may stand in a file: as UTF-8 or UTF-16, in hexadecimal, in Base64 at any offset."""
    plain = canary.encode()
    found = [plain, canary.encode("utf-16-le"), plain.hex().encode(), plain.hex().upper().encode()]
    for offset in range(3):
        # The first and the last letters depend on what stands beside.
        encoded = base64.b64encode(bytes(offset) + plain).rstrip(b"=")
        found.append(encoded[(0, 2, 3)[offset] : -1])
    return found


def in_files(folder: Path, canary: str) -> Iterator[str]:
    """The files below a folder that hold it."""
    wanted = forms(canary)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            if any(form in content for form in wanted):
                yield str(path.relative_to(folder))


def in_database(database: Any, canary: str) -> Iterator[str]:
    """The collections of a database that hold it, in whatever field."""
    wanted = forms(canary)
    for name in sorted(database.list_collection_names()):
        for reply in database[name].find_raw_batches({}):
            if any(form in reply for form in wanted):
                yield f"{database.name}.{name}"
                break
