"""How every kind draws: the same bits for the same value, again with others until the result is another one."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Final

from phimask_plugins.maskers.keyed import DIGEST_BITS, Draws, KeyedHash

TAG_ALPHABET: Final = "bcdfghjkmnpqrstvwxyz23456789"
"""Without vowels no word appears, without 0, 1 and l nothing is misread."""

_ATTEMPTS: Final = 32


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
) -> str | None:
    """The first result of `build` that is not `text`, by `normal`. None if there is none.

    `same` is what decides the draw if it is less than the whole of `text`: a telephone number's digits, say.
    """
    original = normal(text)
    message = original if same is None else same
    for attempt in range(_ATTEMPTS):
        candidate = build(keyed.draws(label, message, attempt, bits))
        if normal(candidate) != original:
            return candidate
    return None


def in_style_of(original: str, fake: str) -> str:
    """`fake` in upper or lower case if `original` is; a lone capital is no style."""
    if original.islower():
        return fake.lower()
    return fake.upper() if original.isupper() and len(original) > 1 else fake
