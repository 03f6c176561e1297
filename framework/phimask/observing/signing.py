"""Keys that sign manifests: Ed25519 (RFC 8032), in PEM files as other tools read them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from phimask.config.key_files import key_text
from phimask.config.model import KeySource
from phimask.errors import KeyMaterialError, UsageError

_HOW: Final = "make one with `phimask keygen --signing --out FILE`"
_LONGEST_FILE: Final = 65_536


class PublicKey:
    """The half of a signing key that anybody may have."""

    def __init__(self, key: Ed25519PublicKey) -> None:
        self._key = key

    @classmethod
    def load(cls, path: Path) -> PublicKey:
        """From a PEM file. Raises UsageError."""
        try:
            with path.open("rb") as file:
                content = file.read(_LONGEST_FILE)
        except OSError as error:
            raise UsageError(f"the public key {path} cannot be read: {error.strerror}") from None
        if b"PRIVATE KEY" in content:
            raise UsageError(
                f"{path} holds a private key; give the file with its public half, which ends in .pub"
            )
        try:
            key = load_pem_public_key(content)
        except (ValueError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, Ed25519PublicKey):
            raise UsageError(
                f"{path} is no public key of Ed25519 in PEM; `phimask keygen --signing` writes one"
            )
        return cls(key)

    @property
    def fingerprint(self) -> str:
        """32 hex digits that tell keys apart."""
        return hashlib.sha256(self.raw()).hexdigest()[:32]

    def raw(self) -> bytes:
        """The key's 32 bytes."""
        return self._key.public_bytes(Encoding.Raw, PublicFormat.Raw)

    def pem(self) -> str:
        """As a PEM file has it (SubjectPublicKeyInfo)."""
        return self._key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")

    def verifies(self, signature: bytes, signed: bytes) -> bool:
        """Whether the other half signed this."""
        try:
            self._key.verify(signature, signed)
        except InvalidSignature:
            return False
        return True


class SigningKey:
    """The half that signs. Shows itself to nobody."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    def __repr__(self) -> str:
        return "SigningKey(***)"

    @classmethod
    def generate(cls) -> SigningKey:
        """A new one from the operating system's random source."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, source: KeySource, environ: Mapping[str, str]) -> SigningKey:
        """From where phimask.yaml says, as PEM. Raises KeyMaterialError."""
        place, text = key_text(source, environ, "signing key", "signing_key", _HOW)
        try:
            key = load_pem_private_key(text.strip().encode("utf-8") + b"\n", password=None)
        except TypeError:
            raise KeyMaterialError(
                f"{place}: the signing key is encrypted; give it without a passphrase"
            ) from None
        except (ValueError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, Ed25519PrivateKey):
            raise KeyMaterialError(f"{place}: this is no private key of Ed25519 in PEM; {_HOW}")
        return cls(key)

    def pem(self) -> str:
        """As a PEM file has it (PKCS #8, not encrypted): as secret as the key itself."""
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")

    @property
    def public(self) -> PublicKey:
        """The other half."""
        return PublicKey(self._key.public_key())

    def sign(self, signed: bytes) -> bytes:
        """64 bytes."""
        return self._key.sign(signed)
