"""The resident memory of this process, between a soft and a hard ceiling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

import psutil

from phimask import MemoryGovernor, MemoryReading

_RELEASE: Final = 0.9
_LEAST_AVAILABLE: Final = 0.05
_SHRINK_AT_HARD: Final = 0.25
_SHRINK_CRITICAL: Final = 0.1


class RssMemoryGovernor(MemoryGovernor):
    """Pressure is high above `soft` and critical above `hard`; both are bytes resident (RSS; on Windows the working
    set).

    Once high, it is ok again only below nine tenths of `soft`, so that it does not flicker. Batches are asked to
    shrink the nearer `hard` comes: not at all at `soft`, to a quarter just below `hard`, to a tenth above.

    It is also critical while the machine has less than a twentieth of its memory available: then this process
    may be the next that the system ends, whatever its own size.
    """

    name: ClassVar[str] = "rss"
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "required": ["soft", "hard"],
        "properties": {
            "soft": {"format": "size", "description": "resident bytes above which batches shrink"},
            "hard": {
                "format": "size",
                "description": "resident bytes above which work pauses, and stops safely if that does not help",
            },
        },
    }

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self._soft: int = options["soft"]
        self._hard: int = options["hard"]
        if not 0 < self._soft < self._hard:
            raise ValueError("soft is not below hard; give soft a positive size below hard's")
        self._process = psutil.Process()
        self._pressed = False

    def read(self) -> MemoryReading:
        """The state now."""
        resident = self.resident_bytes()
        self._pressed = resident > (self._soft * _RELEASE if self._pressed else self._soft)
        if resident > self._hard or self.available_share() < _LEAST_AVAILABLE:
            return MemoryReading("critical", resident, self._hard, _SHRINK_CRITICAL)
        if self._pressed:
            height = max(0.0, (resident - self._soft) / (self._hard - self._soft))
            return MemoryReading("high", resident, self._hard, 1 - (1 - _SHRINK_AT_HARD) * height)
        return MemoryReading("ok", resident, self._hard)

    def resident_bytes(self) -> int:
        """This process's resident bytes."""
        return int(self._process.memory_info().rss)

    def available_share(self) -> float:
        """How much of the machine's memory can still be given out without swapping, 0 to 1."""
        memory = psutil.virtual_memory()
        return float(memory.available / memory.total)
