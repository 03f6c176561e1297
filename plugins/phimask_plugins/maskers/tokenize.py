"""tokenize: a random token in place of a value, and a vault that knows which stands for which."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from secrets import token_bytes
from typing import Any, ClassVar, Final

from phimask import FAILED, Column, Masker
from phimask_plugins.maskers.keyed import KeyedHash
from phimask_plugins.maskers.scalars import SCALARS
from phimask_plugins.maskers.sealing import RandomSeal, packed, subkey
from phimask_plugins.maskers.token_vault import MAX_SEALED_BYTES, OPTIONS, Entry, TokenVault, mark_of

PURPOSE: Final = "tokenize"
_CHARACTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base32, which has none of I, L, O and U: they are misread."""
_OF_BYTES: Final = _CHARACTERS.encode() * 8
"""By byte; each of the 32 stands for as many."""
_ATTEMPTS: Final = 4


class Tokenize(Masker):
    """Puts a random token in place of a value, of any type; `detokenize` has it back from the vault.

    The same value has the same token, in every field of the same domain and in every run that uses the vault under
    the same key. Under a new key it gets a new one, if the old one is listed after it; a vault that was written under
    none of the keys is refused before anything is written, and so is one of another domain. The token tells nothing
    about the value, not even its length. An empty string gets one, too.

    The vault is a collection of its own, best on another deployment: per value, a keyed digest (HMAC-SHA-256) that
    finds it, one that finds the token, the token, and the value encrypted (AES-256-GCM, with the token as
    associated data). It must outlive the masked data for as long as anyone may want originals back. A column costs one
    round trip, two more if values are new. Where the vault does not answer, the run ends.

    Source: NIST SP 800-38D (AES-GCM), RFC 2104 (HMAC).
    """

    name = "tokenize"
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "required": ["uri"],
        "properties": {
            **OPTIONS,
            "prefix": {
                "type": "string",
                "maxLength": 32,
                "default": "",
                "description": "What every token begins with.",
            },
            "length": {
                "type": "integer",
                "minimum": 12,
                "maximum": 64,
                "default": 16,
                "description": "Random characters of a token, of 5 bits each.",
            },
        },
    }
    types = SCALARS
    produces = frozenset({"string"})
    uniqueness = "injective"
    needs_key = True
    takes_older_keys = True
    writes = True
    long_columns = True

    def __init__(
        self, options: Mapping[str, Any], key: bytes | None = None, older_keys: Sequence[bytes] = ()
    ) -> None:
        """`older_keys`: 32 bytes each. Raises ValueError for a `uri` or a `prefix` that is none."""
        super().__init__(options, key)
        self._vault = TokenVault(options)
        self._keys = (self.key, *older_keys) if self.key else ()
        self._prefix: str = options.get("prefix", "")
        if any("\ud800" <= character <= "\udfff" for character in self._prefix):
            raise ValueError("`prefix` holds a lone surrogate, which BSON cannot; leave it out")
        self._length: int = options.get("length", 16)
        if self.key:
            self._digest = KeyedHash(subkey(self.key, f"{PURPOSE}/digest")).digest
            self._finder = finder(self.key)
            self._seal = RandomSeal(self.key, PURPOSE)

    def before(self) -> Iterable[str]:
        """A vault that does not answer, or was written under no key of these."""
        return self._vault.hazards(self._keys, reads=False) if self._keys else ()

    def mask(self, column: Column) -> list[Any]:
        """Tokens. Raises StoreError where the vault does not answer."""
        if not self.key:
            raise ValueError("this masker needs a masking key")
        plain = [_packed(value) for value in column.values]
        digests = [None if one is None else self._digest(one) for one in plain]
        wanted = {
            digest: one
            for digest, one in zip(digests, plain, strict=True)
            if digest is not None and one is not None
        }
        tokens = self._vault.tokens(wanted)
        for _ in range(_ATTEMPTS):
            missing = [digest for digest in wanted if digest not in tokens]
            if not missing:
                break
            self._vault.add([self._entry(digest, wanted[digest]) for digest in missing], mark_of(self.key))
            tokens.update(self._vault.tokens(missing))
        return [FAILED if digest is None else tokens.get(digest, FAILED) for digest in digests]

    def _entry(self, digest: bytes, plain: bytes) -> Entry:
        token = self._prefix + token_bytes(self._length).translate(_OF_BYTES).decode()
        name = token.encode()
        return Entry(digest, self._finder(name), token, self._seal.close(plain, name))


def finder(key: bytes) -> Callable[[bytes], bytes]:
    """What turns a token into the digest that the vault finds it by."""
    return KeyedHash(subkey(key, f"{PURPOSE}/finder")).digest


def _packed(value: Any) -> bytes | None:
    try:
        plain = packed(value)
    except ValueError:
        return None
    return plain if len(plain) <= MAX_SEALED_BYTES else None
