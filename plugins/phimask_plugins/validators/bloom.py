"""A bounded memory of values that holds none of them: a Bloom filter over keyed fingerprints.

Source: Bloom, Communications of the ACM 13(7):422-426, 1970; keyed BLAKE2b, RFC 7693.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable
from typing import Final

FINGERPRINT_BYTES: Final = 24
_HASHES: Final = 6
_PLACES: Final = struct.Struct("<6I").unpack


class Fingerprints:
    """To anyone without the key a fingerprint is 24 random bytes."""

    __slots__ = ("_begun",)

    def __init__(self, key: bytes, purpose: bytes) -> None:
        """`key`: 1 to 64 bytes; fingerprints for two purposes have nothing in common."""
        self._begun = hashlib.blake2b(digest_size=FINGERPRINT_BYTES, key=key, person=purpose[:16])

    def __repr__(self) -> str:
        return "Fingerprints(***)"

    def of(self, data: bytes) -> bytes:
        """24 bytes."""
        one = self._begun.copy()
        one.update(data)
        return one.digest()


class Bloom:
    """Remembers fingerprints. It may take one for known that is not, never the other way round."""

    def __init__(self, size: int) -> None:
        """`size` in bytes; the greatest power of two within it is taken, 512 MB at most."""
        self._bits = bytearray(1 << min(29, max(10, size.bit_length() - 1)))
        self._mask = len(self._bits) * 8 - 1

    def add(self, fingerprint: bytes) -> None:
        """Remember it."""
        bits, mask = self._bits, self._mask
        for one in _PLACES(fingerprint):
            place = one & mask
            bits[place >> 3] |= 1 << (place & 7)

    def __contains__(self, fingerprint: bytes) -> bool:
        bits, mask = self._bits, self._mask
        for one in _PLACES(fingerprint):
            place = one & mask
            if not bits[place >> 3] & (1 << (place & 7)):
                return False
        return True

    def __bytes__(self) -> bytes:
        return bytes(self._bits)

    def unite(self, others: Iterable[bytes]) -> None:
        """Remember what others of this size remember."""
        own = int.from_bytes(self._bits, "little")
        for other in others:
            own |= int.from_bytes(other, "little")
        self._bits[:] = own.to_bytes(len(self._bits), "little")

    @property
    def full(self) -> float:
        """The share of its bits that are set."""
        return int.from_bytes(self._bits, "little").bit_count() / (8 * len(self._bits))

    @property
    def false_positives(self) -> float:
        """The probability that it takes an unknown fingerprint for known."""
        return float(self.full**_HASHES)
