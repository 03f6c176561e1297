"""The versions of what masked: two runs are only alike where these are."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from phimask.compiled import AVAILABLE

_LIBRARIES: Final = ("pymongo", "cryptography", "faker")


def software(mongodb: str | None) -> dict[str, str]:
    """Python, the platform, the walks in use, the server's version where it is known, and libraries that decide the
    outcome."""
    found = {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "walks": "compiled" if AVAILABLE else "python",
    }
    if mongodb is not None:
        found["mongodb"] = mongodb
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found
