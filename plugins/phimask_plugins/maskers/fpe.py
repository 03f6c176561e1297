"""fpe and fpe_decrypt: format-preserving encryption, and its way back."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final, NamedTuple, TypeAlias

from bson.int64 import Int64

from phimask import FAILED, Column, Masker
from phimask_plugins.maskers.ff1 import ALPHABETS, FF1, Alphabet, luhn_digit
from phimask_plugins.maskers.ff1.check_digit import NPI_PREFIX
from phimask_plugins.maskers.ff1.cipher import SAFE_DOMAIN, SMALLEST_DOMAIN
from phimask_plugins.maskers.scalars import INT32_MAX, INT64_MAX

_LONGEST: Final = 500
"""Characters. Longer ones are no identifiers, and their arithmetic is quadratic."""
_SURELY_LARGE: Final = 20
"""Numerals: a domain of that many is a safe one in any radix."""
_SEPARATORS: Final = r"\s!-/:-@\[-`{-~\u2010-\u2015"
_SEPARATOR: Final = re.compile(f"[{_SEPARATORS}]")
_OTHER: Final = re.compile(f"[^{_SEPARATORS}]")
_NPI_PAYLOAD: Final = 9
_NO_KEY: Final = "this masker needs a masking key"

_OPTIONS: Final[Mapping[str, Any]] = {
    "alphabet": {
        "type": "string",
        "minLength": 2,
        "default": "digits",
        "description": f"The characters that are encrypted, into one another: {', '.join(ALPHABETS)}, or all of them "
        "written out.",
    },
    "keep_separators": {
        "type": "boolean",
        "default": True,
        "description": "White space, dashes and ASCII punctuation outside the alphabet stay where they are.",
    },
    "keep_others": {
        "type": "boolean",
        "default": False,
        "description": "So does everything else outside the alphabet: MRN in MRN0047113 shows.",
    },
    "tweak": {
        "type": "string",
        "default": "",
        "description": "A public salt (FF1's tweak): fields with different ones have unrelated masks.",
    },
    "check": {
        "enum": ["none", "luhn_valid", "luhn_invalid", "npi_valid", "npi_invalid"],
        "default": "none",
        "description": "The check digit at the end, of card numbers (luhn) or NPIs. valid: it is right after masking "
        "if it was before; invalid: it is wrong after masking, and has to be right before.",
    },
    "allow_small": {
        "type": "boolean",
        "default": False,
        "description": f"Take values that could be one of fewer than {SAFE_DOMAIN:,}, down to {SMALLEST_DOMAIN}; "
        "such encryption can be broken.",
    },
}
_SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "properties": _OPTIONS,
}


class _Slot(NamedTuple):
    """What is permuted among itself: numbers of `length` numerals, from `low` to `high`."""

    length: int
    low: int
    high: int


class _Value(NamedTuple):
    """A value taken apart: where it is in the column, its characters of the alphabet, and the rest.

    `parts`: runs of characters of the alphabet and of others in turn, empty for an integer. `first`: the least first
    digit. `bounds`: the largest number of each integer type that could hold the result.
    """

    position: int
    numerals: str
    parts: Sequence[str]
    first: int = 0
    bounds: Sequence[int] = ()


class _Taken(NamedTuple):
    """A value that can be masked: where it is, the number that stands for it, how far off its check digit is."""

    position: int
    number: int
    parts: Sequence[str]
    check: int | None


_Slots: TypeAlias = defaultdict[_Slot, list[_Taken]]


class Fpe(Masker):
    """Encrypts characters of an alphabet into characters of the same alphabet, by FF1 under AES-256: a value's
    length and separators stay, two values never share a mask, and `fpe_decrypt` with the key has the original back.

    string: `900-12-3456` becomes, say, `281-90-7734`; int and long: as many digits as before, the first never 0, the
    sign kept. Fails on a character that is neither of the alphabet nor kept, on more than 500 characters, and on
    what could be one of fewer than a million values (six digits can, five cannot), unless `allow_small`. An empty
    string stays empty. One value in as many as there are is its own mask: a permutation has fixed points.

    With a check digit, the digits before it are encrypted and it is worked out anew. `luhn_valid`, `npi_valid`:
    valid numbers become valid ones; of others the check digit is as far off after as before. `luhn_invalid`,
    `npi_invalid`: valid numbers become invalid ones, which no system takes for real; others fail, since there are
    fewer invalid numbers than numbers. An NPI has ten digits, the first of them 1 or 2, and keeps that form.

    Source: NIST SP 800-38G (2016), FF1, and the smallest domain of its Revision 1; cycle walking (Black and Rogaway,
    "Ciphers with Arbitrary Finite Domains", CT-RSA 2002) for first digits and integer ranges.
    """

    name = "fpe"
    options_schema: ClassVar[Mapping[str, Any]] = _SCHEMA
    types = frozenset({"string", "int", "long"})
    uniqueness = "injective"
    changes = "maybe"
    needs_key = True

    def __init__(self, options: Mapping[str, Any], key: bytes | None = None) -> None:
        """Raises ValueError for an `alphabet` that is none, and for a check digit of anything but `digits`."""
        super().__init__(options, key)
        named: str = options.get("alphabet", "digits")
        self._alphabet = Alphabet(ALPHABETS.get(named, named))
        self._others = re.compile(f"([^{re.escape(self._alphabet.characters)}]+)")
        self._keep_separators: bool = options.get("keep_separators", True)
        self._keep_others: bool = options.get("keep_others", False)
        kind, _, wanted = options.get("check", "none").partition("_")
        if wanted and not self._alphabet.decimal:
            raise ValueError(f"`check` {kind}_{wanted} needs the alphabet digits; leave one of the two out")
        self._checked = bool(wanted)
        self._npi = kind == "npi"
        self._check_shifts = self._shifts_of_check(wanted)
        self._least: int = SMALLEST_DOMAIN if options.get("allow_small", False) else SAFE_DOMAIN
        if not self._alphabet.decimal:
            self.types = frozenset({"string"})
        self._permute: Callable[[Sequence[int], int], Sequence[int]] | None = None
        if self.key:
            tweak: str = options.get("tweak", "")
            self._permute = self._permutation(
                FF1(self.key, self._alphabet.radix, tweak.encode("utf-8", "surrogatepass"))
            )

    def mask(self, column: Column) -> list[Any]:
        """Values of the same form."""
        permute = self._permute
        if permute is None:
            raise ValueError(_NO_KEY)
        results: list[Any] = [FAILED] * len(column.values)
        slots: _Slots = defaultdict(list)
        for position, value in enumerate(column.values):
            if type(value) is str:
                if not value:
                    results[position] = value
                else:
                    self._take_text(position, value, slots)
            elif (type(value) is int or type(value) is Int64) and self._alphabet.decimal:
                self._take_number(position, value, slots)
        for slot, taken in slots.items():
            masks = _walked(permute, slot, list({one.number for one in taken}))
            for one in taken:
                text = self._alphabet.text(masks[one.number], slot.length)
                if one.check is not None:
                    text += str((self._right_digit(text) + self._check_shifts[one.check]) % 10)
                results[one.position] = _like(column.values[one.position], text, one.parts)
        return results

    def _permutation(self, cipher: FF1) -> Callable[[Sequence[int], int], Sequence[int]]:
        return cipher.encrypt

    def _shifts_of_check(self, wanted: str) -> Mapping[int, int]:
        """How far off a check digit is before masking, to how far off it is after; what is not in it fails."""
        return {0: 1} if wanted == "invalid" else {shift: shift for shift in range(10)}

    def _right_digit(self, payload: str) -> int:
        return luhn_digit(NPI_PREFIX + payload if self._npi else payload)

    def _take_text(self, position: int, value: str, slots: _Slots) -> None:
        if len(value) > _LONGEST:
            return
        parts = self._others.split(value)
        if len(parts) == 1 or self._are_kept("".join(parts[1::2])):
            self._take(_Value(position, "".join(parts[::2]), parts), slots)

    def _take_number(self, position: int, value: int, slots: _Slots) -> None:
        below_zero = value < 0
        bounds = [INT32_MAX + below_zero]
        if type(value) is Int64:
            # A server takes 7 and NumberLong(7) for equal, so both have to be permuted among the same numbers.
            bounds.append(INT64_MAX + below_zero)
        self._take(_Value(position, str(abs(value)), (), 1, bounds), slots)

    def _take(self, value: _Value, slots: _Slots) -> None:
        """Puts a value into its slot, or leaves it failed."""
        check: int | None = None
        numerals, first, last, bounds = value.numerals, value.first, self._alphabet.radix - 1, value.bounds
        if self._checked:
            numerals, digit = numerals[:-1], numerals[-1:]
            if not numerals:
                return
            check = (int(digit) - self._right_digit(numerals)) % 10
            if check not in self._check_shifts:
                return
            # Whatever the check digit turns out to be, it has to fit as well.
            bounds = [(bound - 9) // 10 for bound in bounds]
        length = len(numerals)
        if length < 2 or (length < _SURELY_LARGE and self._alphabet.radix**length < self._least):
            return
        if self._npi:
            if length != _NPI_PAYLOAD:
                return
            first, last = 1, 2
        number = self._alphabet.number(numerals)
        unit = self._alphabet.radix ** (length - 1)
        low, high = first * unit, (last + 1) * unit - 1
        for bound in sorted({min(bound, high) for bound in bounds or [high]}):
            if low <= number <= bound:
                slots[_Slot(length, low, bound)].append(_Taken(value.position, number, value.parts, check))
                return
            low = max(low, bound + 1)

    def _are_kept(self, others: str) -> bool:
        return (
            (self._keep_separators or _SEPARATOR.search(others) is None)
            and (self._keep_others or _OTHER.search(others) is None)
            and _is_text(others)
        )


class FpeDecrypt(Fpe):
    """Undoes `fpe`, with the same options and the same key: originals come back exactly.

    Nothing in a masked value says which key made it: another key gives another value of the same form, and no
    error. Where a masked value cannot come from `fpe`, it fails.

    Source: NIST SP 800-38G (2016), FF1.Decrypt.
    """

    name = "fpe_decrypt"
    default_domain = "fpe"

    def _permutation(self, cipher: FF1) -> Callable[[Sequence[int], int], Sequence[int]]:
        return cipher.decrypt

    def _shifts_of_check(self, wanted: str) -> Mapping[int, int]:
        return {after: before for before, after in super()._shifts_of_check(wanted).items()}


def _walked(
    permute: Callable[[Sequence[int], int], Sequence[int]], slot: _Slot, numbers: list[int]
) -> dict[int, int]:
    """Each number's mask: the permutation, again and again until it is back within the slot.

    It comes back at the latest with the number itself; so this is a permutation of the slot.
    """
    found: dict[int, int] = {}
    current: Sequence[int] = numbers
    while numbers:
        current = permute(current, slot.length)
        outside: list[tuple[int, int]] = []
        for number, moved in zip(numbers, current, strict=True):
            if slot.low <= moved <= slot.high:
                found[number] = moved
            else:
                outside.append((number, moved))
        numbers = [number for number, _ in outside]
        current = [moved for _, moved in outside]
    return found


def _like(value: Any, text: str, parts: Sequence[str]) -> Any:
    """The masked numerals in the original's dress."""
    if not parts:
        number = -int(text) if value < 0 else int(text)
        return Int64(number) if type(value) is Int64 else number
    if len(parts) == 1:
        return text
    dressed: list[str] = []
    start = 0
    for index, part in enumerate(parts):
        if index % 2:
            dressed.append(part)
        else:
            dressed.append(text[start : start + len(part)])
            start += len(part)
    return "".join(dressed)


def _is_text(value: str) -> bool:
    """Whether BSON can hold it: a lone surrogate is no character, and has no UTF-8 form."""
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)
