"""pseudonym: short tokens that people can read out to each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final, NamedTuple

from bson.int64 import Int64
from bson.objectid import ObjectId

from phimask import FAILED, Column, Masker
from phimask_plugins.maskers.cache import MEGABYTE, Memo
from phimask_plugins.maskers.collisions import Collisions
from phimask_plugins.maskers.keyed import Draws, KeyedHash
from phimask_plugins.maskers.scalars import is_text

_ATTEMPTS: Final = 8
_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Without I, L, O and U. Source: D. Crockford, "Base 32", https://www.crockford.com/base32.html."""
_CONSONANTS: Final = "bdfghjklmnprstvz"
_VOWELS: Final = "aiou"
"""With the consonants above, syllables that are hard to mishear. Source: D. S. Wilkerson, "A Proposal for
Proquints", arXiv:0901.4016."""


class _Token(NamedTuple):
    number: int
    text: str


class Pseudonym(Masker):
    """Puts a token in place of an identifier, `P-7KQ2M9XW4T` or `babod-luzan` say: under one key always the same
    for the same value, whether that is a string, a whole number or an ObjectId; the result is a string.

    Tokens are HMAC-SHA-256 (RFC 2104) cut short, so two values may meet: of n values, n²/2 divided by the number of
    tokens (32 to the power of `length`, or 16 and 4 by turns for syllables) do. Where that happens in a run, the
    second value fails, as far as `memory` reaches; take a greater `length` then. An empty string stays empty.

    Source: HMAC-SHA-256 (RFC 2104); D. Crockford, "Base 32"; D. S. Wilkerson, "A Proposal for Proquints",
    arXiv:0901.4016, for syllables; pseudonymization as in ISO 25237:2017.
    """

    name = "pseudonym"
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "prefix": {
                "type": "string",
                "maxLength": 32,
                "default": "",
                "description": "What every token begins with, before `length` counts.",
            },
            "style": {
                "enum": ["crockford", "syllables"],
                "default": "crockford",
                "description": "crockford: digits and capitals that are not mistaken for each other, 5 bits each; "
                "syllables: pronounceable, 3 bits each, a hyphen after every fifth.",
            },
            "length": {
                "type": "integer",
                "minimum": 8,
                "maximum": 40,
                "default": 12,
                "description": "How many characters follow the prefix, hyphens not counted. Of 100,000 values "
                "with 8 characters, or 14 of syllables, two meet in about one run of 200 or fewer.",
            },
            "memory": {
                "type": ["string", "integer"],
                "format": "size",
                "default": "32MB",
                "description": "The most that looking out for tokens that meet may take; 16 bytes for each.",
            },
        },
    }
    types = frozenset({"string", "int", "long", "objectId"})
    produces = frozenset({"string"})
    uniqueness = "probable"
    needs_key = True

    def __init__(self, options: Mapping[str, Any], key: bytes | None = None) -> None:
        """Raises ValueError for a prefix that is no text."""
        super().__init__(options, key)
        self._prefix: str = options.get("prefix", "")
        if not is_text(self._prefix):
            raise ValueError("`prefix` holds a lone surrogate, which is no character")
        self._length: int = options.get("length", 12)
        self._syllables: bool = options.get("style", "crockford") == "syllables"
        self._keyed = KeyedHash(self.key)
        memory: int = options.get("memory", 32 * MEGABYTE)
        # A quarter for the tokens of values that come again, as one in every visit of a patient.
        self._tokens: Memo[str, str | None] = Memo(self._made, memory // 4)
        self._collisions = Collisions(memory - memory // 4)

    def cached_bytes(self) -> int:
        """See Masker."""
        return self._tokens.weight

    def drop_cache(self) -> None:
        """See Masker."""
        self._tokens.drop()

    def mask(self, column: Column) -> list[Any]:
        """Tokens."""
        tokens = self._tokens
        results: list[Any] = []
        for value in column.values:
            kind = type(value)
            if kind is str or kind is int or kind is Int64 or kind is ObjectId:
                token = tokens[value if kind is str else str(value)]
                results.append(FAILED if token is None else token)
            else:
                results.append(FAILED)
        return results

    def _made(self, text: str) -> str | None:
        if not text:
            return ""
        for attempt in range(_ATTEMPTS):
            number = int.from_bytes(
                self._keyed.digest(b"%d\0" % attempt + text.encode("utf-8", "surrogatepass")), "big"
            )
            token = self._token(number)
            if token.text != text:
                # The number's upper bits are none of the token's.
                return token.text if self._collisions.claim(token.number, number >> 192) else None
        return None

    def _token(self, number: int) -> _Token:
        if not self._syllables:
            token = Draws(number).text(self._length, _CROCKFORD)
            return _Token(number % 32**self._length, self._prefix + token)
        draws = Draws(number)
        letters = "".join(
            [draws.pick(_VOWELS if place % 2 else _CONSONANTS) for place in range(self._length)]
        )
        # Five letters at a time are as many as people keep in mind.
        spelt = "-".join(letters[start : start + 5] for start in range(0, self._length, 5))
        return _Token(number % (16 ** -(-self._length // 2) * 4 ** (self._length // 2)), self._prefix + spelt)
