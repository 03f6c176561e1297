"""The masking key: what makes masked values repeatable for its holder and unguessable for anyone else."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from phimask.config.key_files import key_text
from phimask.config.model import KeySource
from phimask.errors import KeyMaterialError

KEY_BYTES: Final = 32

_PREFIX: Final = "phimask-key-1:"
_BODY_LENGTH: Final = 43
_CHECK_LENGTH: Final = 8
_HOW: Final = "make one with `phimask keygen`"


class MaskingKey:
    """32 secret bytes that all other keys of a run are derived from.

    Raises KeyMaterialError unless `material` is 32 bytes that are not all the same.
    """

    __slots__ = ("_material",)

    def __init__(self, material: bytes) -> None:
        if len(material) != KEY_BYTES:
            raise KeyMaterialError(f"a masking key has {KEY_BYTES} bytes, this one {len(material)}; {_HOW}")
        if len(set(material)) == 1:
            raise KeyMaterialError(
                f"the masking key is one byte over and over, so anyone can guess it; {_HOW}"
            )
        self._material = bytes(material)

    def __repr__(self) -> str:
        return "MaskingKey(***)"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MaskingKey):
            return NotImplemented
        return hmac.compare_digest(self._material, other._material)

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    @classmethod
    def generate(cls) -> MaskingKey:
        """A new key from the operating system's random source."""
        return cls(secrets.token_bytes(KEY_BYTES))

    @classmethod
    def parse(cls, text: str) -> MaskingKey:
        """The key that `text()` wrote; white space around it does not matter.

        Raises KeyMaterialError, which says what is wrong and never what was given.
        """
        text = text.strip()
        if not text:
            raise KeyMaterialError(f"the masking key is empty; {_HOW}")
        if not text.startswith(_PREFIX):
            raise KeyMaterialError(f"this is no masking key: one begins with `{_PREFIX}`; {_HOW}")
        body, dot, check = text[len(_PREFIX) :].partition(".")
        if len(body) != _BODY_LENGTH or not dot or len(check) != _CHECK_LENGTH:
            raise KeyMaterialError(
                f"the masking key is cut short or has something added: after `{_PREFIX}` come {_BODY_LENGTH} "
                f"characters, a dot and {_CHECK_LENGTH} more; copy all of it, or {_HOW}"
            )
        material = _decoded(body)
        if material is None or not hmac.compare_digest(_checksum(material), check.encode("utf-8", "replace")):
            raise KeyMaterialError(
                f"the masking key's checksum does not fit: a character was mistyped; copy it again, or {_HOW}"
            )
        return cls(material)

    @classmethod
    def load(cls, source: KeySource, environ: Mapping[str, str]) -> MaskingKey:
        """The key from the environment variable or the file that the configuration names.

        On POSIX systems the file must be closed to group and others. Raises KeyMaterialError.
        """
        place, text = key_text(source, environ, "masking key", "key", _HOW)
        try:
            return cls.parse(text)
        except KeyMaterialError as error:
            raise KeyMaterialError(f"{place}: {error}") from None

    def text(self) -> str:
        """The key as a person keeps it: `phimask-key-1:`, base64url, a dot and a checksum against typing
        errors. As secret as the key itself."""
        return f"{_PREFIX}{_encoded(self._material)}.{_checksum(self._material).decode()}"

    @property
    def fingerprint(self) -> str:
        """16 hex digits that tell keys apart and say nothing about them; fit for reports."""
        return _expand(self._material, b"phimask/v1-fingerprint", 8).hex()

    def derive(self, domain: str) -> bytes:
        """32 bytes for one purpose, by HKDF-SHA256 (RFC 5869, no salt, info `phimask/v1/<domain>`).

        Different domains give independent keys; whoever has one learns nothing of the others.
        """
        return _expand(self._material, b"phimask/v1/" + domain.encode(), KEY_BYTES)


def _expand(material: bytes, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=info).derive(material)


def _checksum(material: bytes) -> bytes:
    return hashlib.sha256(b"phimask key checksum" + material).hexdigest()[:_CHECK_LENGTH].encode()


def _encoded(material: bytes) -> str:
    return base64.urlsafe_b64encode(material).rstrip(b"=").decode()


def _decoded(body: str) -> bytes | None:
    try:
        material = base64.b64decode(f"{body}=", altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        return None
    # The last character has two bits to spare: only the spelling that `text` writes is taken.
    return material if _encoded(material) == body else None
