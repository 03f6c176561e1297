"""encrypt: a value under lock and key, in its own place."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

from phimask import FAILED, Column, Masker
from phimask_plugins.maskers.scalars import SCALARS
from phimask_plugins.maskers.sealing import DeterministicSeal, RandomSeal, packed

PURPOSE: Final = "encrypt"
SEALS: Final[Mapping[str, Callable[[bytes, str], DeterministicSeal | RandomSeal]]] = {
    "siv": DeterministicSeal,
    "gcm": RandomSeal,
}


def header(mode: str) -> bytes:
    """What every sealed value begins with, as text and as binary: the mode, and the version of the form."""
    return f"phimask:{mode}:1:".encode()


class Encrypt(Masker):
    """Encrypts a value of any type, type included; `decrypt` with the key has it back exactly.

    `siv`: AES-SIV, equal values of one type look equal, so that fields can still be joined and counted; `gcm`:
    AES-GCM with a random nonce, nothing can be told but the length, for up to 2**32 values a key. The result is a
    string, `phimask:siv:1:` and base64url without padding, or the same prefix and raw bytes as binData. An empty
    string is encrypted, too. Lengths show: a sealed short name is shorter than a sealed long one.

    Source: RFC 5297; NIST SP 800-38D (2007).
    """

    name = "encrypt"
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "mode": {
                "enum": list(SEALS),
                "default": "siv",
                "description": "siv: equal values look equal; gcm: they do not.",
            },
            "output": {
                "enum": ["string", "binData"],
                "default": "string",
                "description": "The BSON type of what is stored.",
            },
        },
    }
    types = SCALARS
    produces = frozenset({"string", "binData"})
    uniqueness = "injective"
    needs_key = True

    def __init__(self, options: Mapping[str, Any], key: bytes | None = None) -> None:
        """`mode` and `output`, as the schema says."""
        super().__init__(options, key)
        self._mode: str = options.get("mode", "siv")
        output: str = options.get("output", "string")
        self._text = output == "string"
        self.produces = frozenset({output})
        self.consistent = self._mode == "siv"
        self._seal = SEALS[self._mode](self.key, PURPOSE) if self.key else None

    def mask(self, column: Column) -> list[Any]:
        """Sealed values."""
        if self._seal is None:
            raise ValueError("this masker needs a masking key")
        return [self._sealed(self._seal, value) for value in column.values]

    def _sealed(self, seal: DeterministicSeal | RandomSeal, value: Any) -> Any:
        try:
            plain = packed(value)
        except ValueError:
            return FAILED
        head = header(self._mode)
        sealed = seal.close(plain, head)
        if self._text:
            return head.decode() + base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()
        return head + sealed
