"""Suspects of `leak` as processes tell each other of them: fingerprints of what may be an original, in bytes."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Mapping

from phimask_plugins.validators.bloom import FINGERPRINT_BYTES


def packed(suspects: Mapping[bytes, Counter[str]]) -> bytes:
    """Fingerprints, each with how often it stands at which paths."""
    parts: list[bytes] = []
    for fingerprint, paths in suspects.items():
        parts.append(fingerprint + struct.pack("<I", len(paths)))
        for path, count in paths.items():
            name = path.encode("utf-8", "replace")
            parts.append(struct.pack("<II", len(name), count) + name)
    return b"".join(parts)


def unpacked(data: bytes) -> dict[bytes, Counter[str]]:
    """What `packed` packed."""
    found: dict[bytes, Counter[str]] = {}
    at = 0
    while at < len(data):
        fingerprint = data[at : at + FINGERPRINT_BYTES]
        (number,) = struct.unpack_from("<I", data, at + FINGERPRINT_BYTES)
        at += FINGERPRINT_BYTES + 4
        paths = found.setdefault(fingerprint, Counter())
        for _ in range(number):
            length, count = struct.unpack_from("<II", data, at)
            paths[data[at + 8 : at + 8 + length].decode()] += count
            at += 8 + length
    return found


def packed_counts(counts: Mapping[bytes, int]) -> bytes:
    """Fingerprints, each with a number."""
    return b"".join(one + struct.pack("<I", count) for one, count in counts.items())


def unpacked_counts(data: bytes) -> Counter[bytes]:
    """What `packed_counts` packed."""
    size = FINGERPRINT_BYTES + 4
    return Counter(
        {
            data[at : at + FINGERPRINT_BYTES]: struct.unpack_from("<I", data, at + FINGERPRINT_BYTES)[0]
            for at in range(0, len(data), size)
        }
    )
