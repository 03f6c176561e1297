"""A table that notices when two originals get one token, bounded in bytes."""

from __future__ import annotations

from array import array
from typing import Final

_FIRST_SLOTS: Final = 1 << 10
_SLOT_BYTES: Final = 16
_PROBES: Final = 16
_WORD: Final = (1 << 64) - 1


class Collisions:
    """Remembers which original a token stands for, by 64 bits of each.

    The table doubles up to `limit` bytes. Beyond that a token that finds no room is not remembered, and a later
    one like it not noticed; `forgotten` counts those.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._slots = _FIRST_SLOTS
        self._table = array("Q", bytes(_SLOT_BYTES * self._slots))
        self._held = 0
        self.forgotten = 0

    def claim(self, token: int, original: int) -> bool:
        """Whether the token is this original's: the first to claim one has it.

        Both are digests or parts of such, and used by their lowest 64 bits; equal tokens must have equal bits.
        """
        token &= _WORD
        original = original & _WORD or 1  # 0 is an empty slot
        while True:
            found = self._place(token, original)
            if found is not None:
                return found
            if 2 * _SLOT_BYTES * self._slots > self._limit:
                self.forgotten += 1
                return True
            self._double()

    def _place(self, token: int, original: int) -> bool | None:
        """None: there is no room, and nobody has claimed it as far as is known."""
        table, mask = self._table, self._slots - 1
        for probe in range(_PROBES):
            slot = 2 * ((token + probe) & mask)
            if table[slot + 1] == 0:
                table[slot], table[slot + 1] = token, original
                self._held += 1
                return True
            if table[slot] == token:
                return table[slot + 1] == original
        return None

    def _double(self) -> None:
        old = self._table
        self._slots *= 2
        self._table = array("Q", bytes(_SLOT_BYTES * self._slots))
        self._held = 0
        for slot in range(0, len(old), 2):
            if old[slot + 1] and self._place(old[slot], old[slot + 1]) is None:
                self.forgotten += 1

    def __len__(self) -> int:
        return self._held

    def __repr__(self) -> str:
        return f"Collisions({self._held} tokens)"
