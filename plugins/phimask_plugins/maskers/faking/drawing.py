"""How every kind draws: the same bits for the same value, again with others until the result is another one."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from phimask_plugins.maskers.faking.dictionaries import DEFAULT_LOCALE, Dictionaries, dictionaries
from phimask_plugins.maskers.keyed import DIGEST_BITS, Draws, KeyedHash

TAG_ALPHABET: Final = "bcdfghjkmnpqrstvwxyz23456789"
"""Without vowels no word appears, without 0, 1 and l nothing is misread."""

_ATTEMPTS: Final = 32
_CANDIDATES: Final = 16
"""How many fakes are looked at for the one whose length is the nearest."""


@dataclass(frozen=True, slots=True)
class Manner:
    """What a fake is to have of its original, and whose words it is made of."""

    locale: str = DEFAULT_LOCALE
    keep_length: bool = False
    keep_gender: bool = False
    keep_domain: bool = False
    valid: bool = False
    """Whether check digits are right."""
    unique: bool = False
    """Whether no two values may share a fake."""

    @property
    def words(self) -> Dictionaries:
        """The locale's words."""
        return dictionaries(self.locale)


PLAIN: Final = Manner()


def normal(text: str) -> str:
    """The form in which texts are the same: Unicode NFC, without case, without white space around."""
    if text.isascii():
        return text.strip().lower()
    folded = unicodedata.normalize("NFC", text.strip()).casefold()
    return unicodedata.normalize("NFC", folded)


def draw_other(
    keyed: KeyedHash,
    label: str,
    text: str,
    build: Callable[[Draws], str],
    *,
    same: str | None = None,
    bits: int = DIGEST_BITS,
    near: bool = False,
) -> str | None:
    """The first result of `build` that is not `text`, by `normal`. None if there is none.

    `same` is what decides the draw if it is less than the whole of `text`: a telephone number's digits, say.
    `near`: of the first few results, the one whose length is the nearest to that of `text`.
    """
    original = normal(text)
    message = original if same is None else same
    best: str | None = None
    for attempt in range(_ATTEMPTS):
        candidate = build(keyed.draws(label, message, attempt, bits))
        if normal(candidate) == original:
            continue
        distance = abs(len(candidate) - len(original))
        if not near or distance == 0:
            return candidate
        if best is None or distance < abs(len(best) - len(original)):
            best = candidate
        if attempt >= _CANDIDATES:
            break
    return best


def in_style_of(original: str, fake: str) -> str:
    """`fake` in upper or lower case if `original` is; a lone capital is no style."""
    if original.islower():
        return fake.lower()
    return fake.upper() if original.isupper() and len(original) > 1 else fake
