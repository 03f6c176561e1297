"""A bounded memory of values that holds none of them: a Bloom filter over keyed fingerprints.

Source: Bloom, Communications of the ACM 13(7):422-426, 1970; keyed BLAKE2b, RFC 7693.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable
from operator import itemgetter
from typing import Final

from phimask.compiled import fingerprints as compiled

FINGERPRINT_BYTES: Final = 24
_HASHES: Final = 6
_PLACES: Final = struct.Struct("<6I").unpack
_EACH: Final = struct.Struct(f"{FINGERPRINT_BYTES}s")
_FIRST: Final = itemgetter(0)
_BYTES_EACH: Final = 128
"""What a fingerprint takes in a set."""
_AS_THEY_ARE: Final = b"\0"
_AS_BITS: Final = b"\1"


class Fingerprints:
    """To anyone without the key a fingerprint is so many random bytes. `begun` is the hash that each begins as."""

    __slots__ = ("begun",)

    def __init__(self, key: bytes, purpose: bytes, size: int = FINGERPRINT_BYTES) -> None:
        """`key`: 1 to 64 bytes; fingerprints for two purposes have nothing in common. `size` in bytes."""
        self.begun = hashlib.blake2b(digest_size=size, key=key, person=purpose[:16])

    def beginning(self, data: bytes) -> Fingerprints:
        """Fingerprints of what begins with these bytes. Quicker than to begin with them each time."""
        made = Fingerprints.__new__(Fingerprints)
        made.begun = self.begun.copy()
        made.begun.update(data)
        return made

    def __repr__(self) -> str:
        return "Fingerprints(***)"

    def of(self, data: bytes) -> bytes:
        """So many bytes."""
        one = self.begun.copy()
        one.update(data)
        return one.digest()


class Bloom:
    """Remembers fingerprints: as they are, which is quicker and never wrong, and once they are too many for that as
    bits. Then it may take one for known that is not; never the other way round."""

    def __init__(self, size: int) -> None:
        """`size` in bytes; the greatest power of two within it is taken, 512 MB at most."""
        self._size = 1 << min(29, max(10, size.bit_length() - 1))
        self._mask = self._size * 8 - 1
        self._few: set[bytes] = set()
        self._most = self._size // _BYTES_EACH
        self._bits: bytearray | None = None

    def add(self, fingerprints: Iterable[bytes]) -> None:
        """Remember them."""
        if self._bits is None:
            self._few.update(fingerprints)
            if len(self._few) > self._most:
                self._into_bits()
            return
        self._set(self._bits, fingerprints)

    def __contains__(self, fingerprint: bytes) -> bool:
        bits, mask = self._bits, self._mask
        if bits is None:
            return fingerprint in self._few
        for one in _PLACES(fingerprint):
            place = one & mask
            if not bits[place >> 3] & (1 << (place & 7)):
                return False
        return True

    def _set(self, bits: bytearray, fingerprints: Iterable[bytes]) -> None:
        if compiled is not None:
            compiled.set_bits(bits, fingerprints)
            return
        mask = self._mask
        for a, b, c, d, e, f in map(_PLACES, fingerprints):  # a loop over six takes twice as long
            bits[(a & mask) >> 3] |= 1 << (a & 7)
            bits[(b & mask) >> 3] |= 1 << (b & 7)
            bits[(c & mask) >> 3] |= 1 << (c & 7)
            bits[(d & mask) >> 3] |= 1 << (d & 7)
            bits[(e & mask) >> 3] |= 1 << (e & 7)
            bits[(f & mask) >> 3] |= 1 << (f & 7)

    def _into_bits(self) -> bytearray:
        bits = self._bits
        if bits is None:
            bits = self._bits = bytearray(self._size)
            self._set(bits, self._few)
            self._few = set()
        return bits

    def __bytes__(self) -> bytes:
        """For `unite`."""
        if self._bits is None:
            return _AS_THEY_ARE + b"".join(self._few)
        return _AS_BITS + self._bits

    def unite(self, others: Iterable[bytes]) -> None:
        """Remember what others of this size remember."""
        for other in others:
            if other.startswith(_AS_THEY_ARE):
                self.add(map(_FIRST, _EACH.iter_unpack(memoryview(other)[1:])))
                continue
            bits = self._into_bits()
            both = int.from_bytes(bits, "little") | int.from_bytes(memoryview(other)[1:], "little")
            bits[:] = both.to_bytes(len(bits), "little")

    @property
    def full(self) -> float:
        """The share of its bits that are set."""
        bits = self._bits or b""
        return int.from_bytes(bits, "little").bit_count() / (8 * self._size)

    @property
    def false_positives(self) -> float:
        """The probability that it takes an unknown fingerprint for known."""
        return float(self.full**_HASHES)
