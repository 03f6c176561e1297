"""Keyed fingerprints: whether bytes are the same as at another time, told without keeping them.

Source: HMAC-SHA-256-128, RFC 2104 and RFC 4868 (truncated to half of its length).
"""

from __future__ import annotations

import hashlib
from typing import Final

FINGERPRINT_BYTES: Final = 16
FINGERPRINT_DOMAIN: Final = "journal"
"""What `MaskingKey.derive` is asked for to get the key of a run's fingerprints."""

_BLOCK_BYTES: Final = 64


class Fingerprint:
    """Tells bytes apart for whoever holds the key; to anyone else a fingerprint is 16 random bytes."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        if len(key) > _BLOCK_BYTES:
            raise ValueError("a fingerprint's key has 64 bytes at most")
        padded = key.ljust(_BLOCK_BYTES, b"\0")
        # Begun once and copied for each: the keyed half of the work is done then.
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in padded))

    def __repr__(self) -> str:
        return "Fingerprint(***)"

    def of(self, data: bytes) -> bytes:
        """The 16-byte fingerprint of `data`. Safe to call from several threads."""
        inner = self._inner.copy()
        inner.update(data)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.digest()[:FINGERPRINT_BYTES]
