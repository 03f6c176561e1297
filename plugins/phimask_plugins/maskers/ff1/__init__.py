"""Format-preserving encryption: the cipher FF1, and how texts and check digits become numbers for it."""

from __future__ import annotations

from phimask_plugins.maskers.ff1.alphabet import ALPHABETS, Alphabet
from phimask_plugins.maskers.ff1.check_digit import luhn_digit
from phimask_plugins.maskers.ff1.cipher import FF1

__all__ = ["ALPHABETS", "FF1", "Alphabet", "luhn_digit"]
