"""Sealing: a run's data key, wrapped under the masking key, and pieces that only it opens, each in its own place.

Source: AES-256-GCM (NIST SP 800-38D) with random 96-bit nonces, for the pieces and for the key itself. What a piece is
bound to (run, namespace, partition, fence, part, position, batch) is its associated data, so that a piece that was
moved, exchanged or carried over from another run does not open.
"""

from __future__ import annotations

import json
import secrets
import struct
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from phimask.errors import VaultError
from phimask.masking.keys import MaskingKey

FORMAT: Final = 1
DOMAIN: Final = "undo-vault"
"""What `MaskingKey.derive` is asked for to get the key that wraps data keys."""

_NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
_DATA_KEY_BYTES: Final = 32
_NUMBERS: Final = struct.Struct("<QQQQQQ?")


@dataclass(frozen=True, slots=True, order=True)
class Part:
    """What one writer kept of one partition under one fence, in order; `number` tells several of these apart."""

    namespace: str
    partition: int
    fence: int
    number: int

    def __str__(self) -> str:
        return f"{self.namespace}, partition {self.partition}, fence {self.fence}, part {self.number}"


@dataclass(frozen=True, slots=True)
class Segment:
    """A sealed piece: the `position`-th of its part, the `sequence`-th of its batch's; `last`: the batch ends here."""

    position: int
    batch: int
    sequence: int
    last: bool
    sealed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A run's data key as it is stored. `key_fingerprint` tells which masking key opens it."""

    run: str
    key_fingerprint: str
    wrapped: bytes = field(repr=False)
    format: int = FORMAT


class DoesNotOpen(Exception):
    """These bytes were not sealed under this key for this place, or were changed since."""


class DataKey:
    """Seals and opens a run's pieces."""

    __slots__ = ("_cipher", "_material", "_run")

    def __init__(self, run: str, material: bytes) -> None:
        self._run = run.encode()
        self._material = material
        self._cipher = AESGCM(material)

    def __repr__(self) -> str:
        return "DataKey(***)"

    @classmethod
    def generate(cls, run: str) -> DataKey:
        """A new one, from the operating system's random source."""
        return cls(run, secrets.token_bytes(_DATA_KEY_BYTES))

    def wrap(self, key: MaskingKey) -> WrappedKey:
        """For storing."""
        run = self._run.decode()
        sealed = _seal(AESGCM(key.derive(DOMAIN)), self._material, _wrapping(run, key.fingerprint))
        return WrappedKey(run, key.fingerprint, sealed)

    @classmethod
    def unwrap(cls, stored: WrappedKey, run: str, key: MaskingKey, where: str) -> DataKey:
        """From storage. Raises VaultError: of another format, under another masking key, tampered with."""
        if stored.format != FORMAT:
            raise VaultError(
                f"{where} is of format {stored.format}, and this phimask knows {FORMAT}; use the version that wrote it"
            )
        if stored.key_fingerprint != key.fingerprint:
            raise VaultError(
                f"{where} was sealed under the masking key with the fingerprint {stored.key_fingerprint}, and the key "
                f"given has {key.fingerprint}; give that key (an older one may stand second under `key:` in "
                "phimask.yaml)"
            )
        try:
            material = _open(AESGCM(key.derive(DOMAIN)), stored.wrapped, _wrapping(run, key.fingerprint))
        except DoesNotOpen:
            raise VaultError(
                f"the data key of {where} was tampered with: it does not open under its masking key; put back the "
                "vault from a backup"
            ) from None
        return cls(run, material)

    def seal(self, part: Part, position: int, batch: int, sequence: int, last: bool, piece: bytes) -> Segment:
        """The piece as a segment for this place."""
        bound = self._bound(part, position, batch, sequence, last)
        return Segment(position, batch, sequence, last, _seal(self._cipher, piece, bound))

    def open(self, part: Part, segment: Segment) -> bytes:
        """The piece again. Raises DoesNotOpen."""
        bound = self._bound(part, segment.position, segment.batch, segment.sequence, segment.last)
        return _open(self._cipher, segment.sealed, bound)

    def _bound(self, part: Part, position: int, batch: int, sequence: int, last: bool) -> bytes:
        names = (b"phimask vault", bytes((FORMAT,)), self._run, part.namespace.encode())
        numbers = _NUMBERS.pack(part.partition, part.fence, part.number, position, batch, sequence, last)
        return b"".join(struct.pack("<I", len(name)) + name for name in names) + numbers


def _wrapping(run: str, key_fingerprint: str) -> bytes:
    return json.dumps(["phimask vault key", FORMAT, run, key_fingerprint]).encode()


def _seal(cipher: AESGCM, plain: bytes, bound: bytes) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, plain, bound)


def _open(cipher: AESGCM, sealed: bytes, bound: bytes) -> bytes:
    try:
        return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound)
    except (InvalidTag, ValueError):
        raise DoesNotOpen from None
