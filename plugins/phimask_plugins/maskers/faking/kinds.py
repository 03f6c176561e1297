"""The kinds of fakes there are, and what is to know of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from phimask_plugins.maskers.faking import checked, measures, names, numbers, online, places
from phimask_plugins.maskers.faking.drawing import Manner
from phimask_plugins.maskers.faking.shapes import shaped
from phimask_plugins.maskers.keyed import KeyedHash

TEXT: Final = frozenset({"string"})
NUMBERS: Final = frozenset({"string", "int", "long"})
COORDINATES: Final = frozenset({"string", "double", "decimal"})
DATES: Final = frozenset({"string", "date"})

_FIRST: Final = ("first_names", "first_names_male", "first_names_female")
_LAST: Final = ("last_names", "last_names_male", "last_names_female")
_LENGTH: Final = frozenset({"length"})
_GENDER: Final = frozenset({"gender"})


class Kind(NamedTuple):
    """A kind of fake."""

    make: Callable[[KeyedHash, str, Manner], str | None]
    types: frozenset[str] = TEXT
    """The BSON types it takes and keeps."""
    words: tuple[str, ...] = ()
    """The dictionaries it draws from."""
    required: tuple[str, ...] = ()
    """Those that a locale must have for it; a kind without any is the same in all locales."""
    keeps: frozenset[str] = frozenset()
    """What it can keep of an original."""
    probable: bool = False
    """Different values hardly ever get the same fake."""
    checked: bool = False
    """It has check digits, or another rule to break or keep."""
    shaped: bool = False
    """It keeps the shape, and can be a permutation."""
    styled: bool = True
    """The original's upper or lower case is taken over."""


def _identifier(label: str) -> Kind:
    return Kind(shaped(label), NUMBERS, shaped=True, styled=False)


KINDS: Final[Mapping[str, Kind]] = {
    "account": _identifier("account"),
    "city": Kind(
        places.city,
        words=("cities", "city_prefixes", "city_suffixes", "last_names", "city_suffix_apart"),
        required=("last_names",),
        keeps=_LENGTH,
    ),
    "country": Kind(places.country, words=("countries",), required=("countries",)),
    "country_code": Kind(places.country_code, words=("country_codes", "country_codes_3")),
    "county": Kind(places.county, words=("counties", "last_names"), required=("counties",), keeps=_LENGTH),
    "credit_card": Kind(checked.credit_card, NUMBERS, checked=True, styled=False),
    "date_of_birth": Kind(measures.date_of_birth, DATES, styled=False),
    "dea": Kind(checked.dea, checked=True),
    "device_id": _identifier("device_id"),
    "driver_license": _identifier("driver_license"),
    "email": Kind(
        online.email, words=("first_names", "last_names"), keeps=frozenset({"domain"}), probable=True
    ),
    "fax": Kind(numbers.phone, NUMBERS, styled=False),
    "first_name": Kind(names.first_name, words=_FIRST, required=("first_names",), keeps=_LENGTH | _GENDER),
    "full_name": Kind(
        names.full_name,
        words=_FIRST + _LAST,
        required=("first_names", "last_names"),
        keeps=_LENGTH | _GENDER,
    ),
    "health_plan_id": _identifier("health_plan_id"),
    "iban": Kind(checked.iban, checked=True),
    "initials": Kind(names.initials),
    "ip": Kind(online.ip, styled=False),
    "ipv6": Kind(online.ipv6, probable=True, styled=False),
    "job": Kind(places.job, words=("jobs",), required=("jobs",), keeps=_LENGTH),
    "last_name": Kind(names.last_name, words=_LAST, required=("last_names",), keeps=_LENGTH | _GENDER),
    "latitude": Kind(measures.latitude, COORDINATES, styled=False),
    "license_plate": _identifier("license_plate"),
    "longitude": Kind(measures.longitude, COORDINATES, styled=False),
    "mac": Kind(online.mac),
    "maiden_name": Kind(names.last_name, words=_LAST, required=("last_names",), keeps=_LENGTH | _GENDER),
    "mbi": Kind(checked.mbi, checked=True),
    "middle_name": Kind(names.first_name, words=_FIRST, required=("first_names",), keeps=_LENGTH | _GENDER),
    "mrn": _identifier("mrn"),
    "name_prefix": Kind(
        names.name_prefix,
        words=("name_prefixes", "name_prefixes_male", "name_prefixes_female"),
        required=("name_prefixes",),
        keeps=_GENDER,
    ),
    "name_suffix": Kind(names.name_suffix, words=("name_suffixes",), required=("name_suffixes",)),
    "npi": Kind(checked.npi, NUMBERS, checked=True, styled=False),
    "organization": Kind(
        places.organization,
        words=("company_suffixes", "last_names"),
        required=("last_names",),
        keeps=_LENGTH,
    ),
    "passport": _identifier("passport"),
    "phone": Kind(numbers.phone, NUMBERS, styled=False),
    "postcode": _identifier("postcode"),
    "secondary_address": Kind(places.secondary_address),
    "ssn": Kind(numbers.ssn, NUMBERS, styled=False),
    "state": Kind(places.state, words=("states", "state_codes"), required=("states",)),
    "state_code": Kind(places.state_code, words=("state_codes",), required=("state_codes",)),
    "street": Kind(
        places.street,
        words=(
            "streets",
            "street_prefixes",
            "street_suffixes",
            "last_names",
            "number_first",
            "street_suffix_apart",
        ),
        required=("last_names",),
        keeps=_LENGTH,
    ),
    "url": Kind(online.url, probable=True, styled=False),
    "username": Kind(online.username, words=("last_names",), probable=True),
    "vin": Kind(checked.vin, checked=True),
}
