"""fake: made-up names, addresses, numbers in place of real ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, NamedTuple

from phimask import FAILED, Column, Masker
from phimask_plugins.maskers.cache import Memo
from phimask_plugins.maskers.faking import names, numbers, online, places, shapes
from phimask_plugins.maskers.faking.drawing import in_style_of
from phimask_plugins.maskers.keyed import KeyedHash
from phimask_plugins.maskers.scalars import like

_MEGABYTE: Final = 1_000_000
_TEXT: Final = frozenset({"string"})
_NUMBERS: Final = frozenset({"string", "int", "long"})


class Kind(NamedTuple):
    """A kind of fake: what makes it, the BSON types it takes, whether different values stay different, and
    whether the original's upper or lower case is taken over."""

    make: Callable[[KeyedHash, str], str | None]
    types: frozenset[str] = _TEXT
    probable: bool = False
    styled: bool = True


KINDS: Final[Mapping[str, Kind]] = {
    "first_name": Kind(names.first_name),
    "last_name": Kind(names.last_name),
    "full_name": Kind(names.full_name),
    "street": Kind(places.street),
    "city": Kind(places.city),
    "state": Kind(places.state),
    "postcode": Kind(shapes.postcode, _NUMBERS, styled=False),
    "phone": Kind(numbers.phone, _NUMBERS, styled=False),
    "email": Kind(online.email, probable=True),
    "mrn": Kind(shapes.mrn, _NUMBERS, styled=False),
    "ssn": Kind(numbers.ssn, _NUMBERS, styled=False),
    "npi": Kind(numbers.npi, _NUMBERS, styled=False),
    "account": Kind(shapes.account, _NUMBERS, styled=False),
    "username": Kind(online.username, probable=True),
    "organization": Kind(places.organization),
    "url": Kind(online.url, probable=True, styled=False),
    "ip": Kind(online.ip, styled=False),
}


class Fake(Masker):
    """Puts a made-up value of the option `kind` in place of each: under one key always the same for the same
    value (compared in Unicode NFC, without case or white space around), in every collection and field, and
    never the value itself.

    Nobody is reached by them: telephone numbers, mail and internet addresses are of ranges set aside for
    examples, SSNs and NPIs of those that are never issued. A name may be somebody's, by chance.
    postcode, phone, mrn, ssn, npi and account also take whole numbers, which keep their type and digits.
    mrn, account and postcode keep a value's shape and are no permutation: of a million numbers of seven
    digits, about one in ten meets another one's. An empty string stays empty, white space alone becomes empty.
    """

    name = "fake"
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "required": ["kind"],
        "properties": {
            "kind": {"enum": list(KINDS), "description": "What the values are, and their fakes will be."},
            "cache": {
                "type": ["string", "integer"],
                "format": "size",
                "default": "16MB",
                "description": "The most that fakes already made may take of memory.",
            },
        },
    }
    types = _NUMBERS
    needs_key = True

    def __init__(self, options: Mapping[str, Any], key: bytes | None = None) -> None:
        """`kind` and `cache` (bytes), as the schema says."""
        super().__init__(options, key)
        self._kind = KINDS[options["kind"]]
        self.types = self._kind.types
        self.uniqueness = "probable" if self._kind.probable else "lossy"
        self._keyed = KeyedHash(self.key)
        # By text alone, numbers too: as dict keys an int and a long are the same.
        self._fakes: Memo[str, str | None] = Memo(self._make, options.get("cache", 16 * _MEGABYTE))

    def mask(self, column: Column) -> list[Any]:
        """Fakes."""
        fakes = self._fakes
        return [
            (FAILED if (fake := fakes[value]) is None else fake)
            if type(value) is str
            else self._number(value)
            for value in column.values
        ]

    def _make(self, text: str) -> str | None:
        stripped = text.strip()
        if not stripped:
            return ""
        fake = self._kind.make(self._keyed, stripped)
        return in_style_of(stripped, fake) if fake is not None and self._kind.styled else fake

    def _number(self, value: Any) -> Any:
        if "int" not in self.types or not isinstance(value, int):
            return FAILED
        fake = self._fakes[str(value)]
        if fake is None or not fake.lstrip("-").isdecimal():
            return FAILED
        result = like(value, int(fake))
        return FAILED if result is None else result
