"""fake: made-up names, addresses, numbers in place of real ones."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from typing import Any, ClassVar

from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.int64 import Int64

from phimask import FAILED, Column, Masker
from phimask_plugins.maskers.cache import MEGABYTE, Memo, shared_allowance
from phimask_plugins.maskers.faking.dictionaries import DEFAULT_LOCALE, digest
from phimask_plugins.maskers.faking.drawing import Manner, in_style_of
from phimask_plugins.maskers.faking.kinds import COORDINATES, DATES, KINDS, NUMBERS
from phimask_plugins.maskers.keyed import KeyedHash
from phimask_plugins.maskers.scalars import like


class Fake(Masker):
    """Puts a made-up value of the option `kind` in place of each: under one key always the same for the same
    value (compared in Unicode NFC, without case or white space around), in every collection and field, and
    never the value itself.

    Nobody is reached by them: telephone numbers, mail and internet addresses are of ranges set aside for
    examples, SSNs and cards of those that are never issued, check digits wrong unless asked for. A name may be
    somebody's, by chance. Numbers also take whole numbers, which keep their type and digits; latitude and longitude
    take doubles and decimals, date_of_birth dates.
    Identifiers keep a value's shape and are no permutation unless `unique`: of a million numbers of seven
    digits, about one in ten meets another one's. An empty string stays empty, white space alone becomes empty.
    Words come from Faker: with a Faker that has other ones, names and places come out differently under the same key.

    Source: dictionaries of names and places from Faker (https://faker.readthedocs.io); HMAC-SHA-256 (RFC 2104) for the
    draw.
    """

    name = "fake"
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "required": ["kind"],
        "properties": {
            "kind": {"enum": list(KINDS), "description": "What the values are, and their fakes will be."},
            "locale": {
                "type": "string",
                "default": DEFAULT_LOCALE,
                "description": "Whose names, places and jobs they are made of, as Faker calls it (es_MX, de_DE).",
            },
            "keep": {
                "type": "array",
                "items": {"enum": ["length", "gender", "domain"]},
                "uniqueItems": True,
                "default": [],
                "description": "What the fakes have of their originals: `length` (names and places, approximately), "
                "`gender` (names that only women or only men have), `domain` (of an e-mail address: the fake may then "
                "be somebody's there).",
            },
            "check": {
                "enum": ["invalid", "valid"],
                "default": "invalid",
                "description": "Whether check digits of an npi, dea, mbi, vin, credit_card or iban are right; a valid "
                "one may be somebody's, but for cards.",
            },
            "unique": {
                "type": "boolean",
                "default": False,
                "description": "Never give two values the same fake: for identifiers of a shape (mrn, account and "
                "such), by a keyed permutation that tells case and white space apart and fails on what is not ASCII. "
                "Kinds whose fakes hardly ever meet (email, username, url, ipv6) take it, too.",
            },
            "cache": {
                "type": ["string", "integer"],
                "format": "size",
                "default": "16MB",
                "description": "The most that fakes already made may take of memory, for all rules of this figure "
                "together.",
            },
        },
    }
    types = NUMBERS | COORDINATES | DATES
    needs_key = True

    def __init__(self, options: Mapping[str, Any], key: bytes | None = None) -> None:
        """Raises ValueError for what the kind cannot keep, check or tell apart, and for a locale that Faker does not
        have or has no such words for."""
        super().__init__(options, key)
        name = options["kind"]
        self._kind = kind = KINDS[name]
        keep = frozenset(options.get("keep", ()))
        self._manner = Manner(
            locale=options.get("locale", DEFAULT_LOCALE),
            keep_length="length" in keep,
            keep_gender="gender" in keep,
            keep_domain="domain" in keep,
            valid=options.get("check", "invalid") == "valid",
            unique=options.get("unique", False),
        )
        self._refuse_impossible(name, keep)
        self.types = kind.types
        self.uniqueness = "lossy"
        if kind.shaped and self._manner.unique:
            self.uniqueness = "injective"
        elif kind.probable:
            self.uniqueness = "probable"
        self._exact = kind.shaped and self._manner.unique
        self._keyed = KeyedHash(self.key)
        # By text alone, numbers too: as dict keys an int and a long are the same.
        self._fakes: Memo[str, str | None] = Memo(
            self._make, shared_allowance(options.get("cache", 16 * MEGABYTE))
        )

    def _refuse_impossible(self, name: str, keep: frozenset[str]) -> None:
        kind, manner = self._kind, self._manner
        if strange := sorted(keep - kind.keeps):
            right = f"it keeps {', '.join(sorted(kind.keeps))}" if kind.keeps else "it keeps nothing"
            raise ValueError(f"a fake {name} cannot keep its original's {' or '.join(strange)}; {right}")
        if manner.valid and not kind.checked:
            known = ", ".join(name for name, kind in KINDS.items() if kind.checked)
            raise ValueError(f"there is nothing to check in a {name}; leave `check` to {known}")
        if manner.unique and not (kind.shaped or kind.probable):
            raise ValueError(
                f"there are fewer safe fakes of kind {name} than there may be originals, so two can meet; "
                "take the masker fpe for a number, or pseudonym"
            )
        if manner.locale != DEFAULT_LOCALE:
            lacking = [words for words in kind.required if len(getattr(manner.words, words)) < 2]
            if lacking:
                raise ValueError(
                    f"Faker has no {lacking[0].replace('_', ' ')} for the locale {manner.locale}; take {DEFAULT_LOCALE}"
                )

    @property
    def vocabulary(self) -> str:
        """SHA-256, in hex, over the words its fakes are made of: where it is the same, so are the fakes of a key."""
        return digest(self._manner.locale if self._kind.required else DEFAULT_LOCALE, self._kind.words)

    def cached_bytes(self) -> int:
        """See Masker."""
        return self._fakes.weight

    def drop_cache(self) -> None:
        """See Masker."""
        self._fakes.drop()

    def mask(self, column: Column) -> list[Any]:
        """Fakes."""
        fakes = self._fakes
        return [
            (FAILED if (fake := fakes[value]) is None else fake) if type(value) is str else self._other(value)
            for value in column.values
        ]

    def _make(self, text: str) -> str | None:
        if self._exact:
            return self._kind.make(self._keyed, text, self._manner) if text else text
        stripped = text.strip()
        if not stripped:
            return ""
        fake = self._kind.make(self._keyed, stripped, self._manner)
        return in_style_of(stripped, fake) if fake is not None and self._kind.styled else fake

    def _other(self, value: Any) -> Any:
        """The fake of what is no string, by way of how it is written."""
        kind, types = type(value), self._kind.types
        if (kind is int or kind is Int64) and "int" in types:
            fake = self._fakes[str(value)]
            if fake is None or not fake.lstrip("-").isdecimal():
                return FAILED
            result = like(value, int(fake))
            return FAILED if result is None else result
        if kind is float and "double" in types and math.isfinite(value):
            return _or_failed(self._fakes[repr(value)], float)
        if kind is Decimal128 and "decimal" in types and value.to_decimal().is_finite():
            return _or_failed(self._fakes[str(value)], Decimal128)
        if kind is datetime.datetime and "date" in types:
            return _or_failed(self._fakes[value.date().isoformat()], datetime.datetime.fromisoformat)
        if kind is DatetimeMS and "date" in types:
            return self._drawn_birth(int(value))
        return FAILED

    def _drawn_birth(self, milliseconds: int) -> Any:
        """A date beyond all calendars' years is nobody's birth, and gets one by its number."""
        days = milliseconds // 86_400_000 % 3_000_000
        near = datetime.date.fromordinal(1 + days)
        return _or_failed(self._fakes[near.isoformat()], datetime.datetime.fromisoformat)


def _or_failed(fake: str | None, to_value: Any) -> Any:
    return FAILED if fake is None else to_value(fake)
