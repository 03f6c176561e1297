"""Values under lock and key: BSON values as bytes, encrypted so that any change to them is noticed.

What is sealed is a value's BSON type and bytes, so that it comes back as exactly what it was.
"""

from __future__ import annotations

import secrets
import struct
from typing import Any, Final

import bson
from bson.codec_options import CodecOptions, DatetimeConversion
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

_LOSSLESS: Final[CodecOptions[dict[str, Any]]] = CodecOptions(
    document_class=dict, datetime_conversion=DatetimeConversion.DATETIME_AUTO
)
_STRING: Final = 0x02
_SCALARS: Final = frozenset({0x01, _STRING, 0x05, 0x07, 0x08, 0x09, 0x0B, 0x0D, 0x0F, 0x10, 0x11, 0x12, 0x13})
"""The BSON types that a column's values have (bsonspec.org 1.1)."""
_COUNT: Final = struct.Struct("<i")
_NONCE_BYTES: Final = 12


def packed(value: Any) -> bytes:
    """A value's BSON type byte and bytes. Raises ValueError for what BSON cannot hold."""
    try:
        if type(value) is str:
            text = value.encode()
            return b"\2" + _COUNT.pack(len(text) + 1) + text + b"\0"
        document = bson.encode({"": value})
    except Exception:  # noqa: BLE001  (PyMongo raises several, and their messages hold the value)
        raise ValueError("BSON cannot hold this value") from None
    return document[4:5] + document[6:-1]


def unpacked(data: bytes) -> Any:
    """The value that `packed` made these bytes of. Raises ValueError for others."""
    if not data or data[0] not in _SCALARS:
        raise ValueError("this is no packed value")
    element = data[:1] + b"\0" + data[1:] + b"\0"
    try:
        return bson.decode(_COUNT.pack(len(element) + 4) + element, _LOSSLESS)[""]
    except Exception:  # noqa: BLE001  (as above)
        raise ValueError("this is no packed value") from None


def subkey(key: bytes, purpose: str, length: int = 32) -> bytes:
    """A key for one purpose, by HKDF-Expand with SHA-256 (RFC 5869, section 2.3).

    Raises ValueError if there is no key.
    """
    if not key:
        raise ValueError("this masker needs a masking key")
    return HKDFExpand(SHA256(), length, f"phimask/{purpose}".encode()).derive(key)


class DeterministicSeal:
    """AES-256 in SIV mode: the same bytes make the same sealed bytes, which is all they tell.

    Source: RFC 5297 (AEAD_AES_SIV_CMAC_512), with the header as its one associated string and no nonce.
    """

    def __init__(self, key: bytes, purpose: str) -> None:
        self._cipher = AESSIV(subkey(key, f"{purpose}/siv", 64))

    def close(self, data: bytes, header: bytes) -> bytes:
        """The synthetic initialization vector (16 bytes) and the ciphertext."""
        return self._cipher.encrypt(data, [header])

    def open(self, sealed: bytes, header: bytes) -> bytes | None:
        """What was sealed under this header; None if it was not by this key, or was changed."""
        try:
            return self._cipher.decrypt(sealed, [header])
        except (InvalidTag, ValueError):
            return None


class RandomSeal:
    """AES-256 in Galois/Counter Mode with a random nonce: equal bytes look different each time they are sealed.

    One key is good for 2**32 values (NIST SP 800-38D, 8.3).
    """

    def __init__(self, key: bytes, purpose: str) -> None:
        self._cipher = AESGCM(subkey(key, f"{purpose}/gcm"))

    def close(self, data: bytes, header: bytes) -> bytes:
        """The nonce (12 bytes), the ciphertext, the tag (16 bytes)."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, data, header)

    def open(self, sealed: bytes, header: bytes) -> bytes | None:
        """What was sealed under this header; None if it was not by this key, or was changed."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], header)
        except (InvalidTag, ValueError):
            return None
