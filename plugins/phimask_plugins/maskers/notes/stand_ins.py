"""What stands in a text for what detectors have found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from phimask import Column, Masker
from phimask_plugins.detectors.words import FACILITY

Make = Callable[[str, Mapping[str, Any]], Masker]

_KINDS: Final[Mapping[str, str]] = {
    "ACCOUNT": "account",
    "ADDRESS": "street",
    "CARD": "credit_card",
    "DEA": "dea",
    "DEVICE": "device_id",
    "EMAIL": "email",
    "FAX": "fax",
    "HEALTH_PLAN": "health_plan_id",
    "IBAN": "iban",
    "ID": "account",
    "IP": "ip",
    "LICENSE": "driver_license",
    "LOCATION": "city",
    "MAC": "mac",
    "MBI": "mbi",
    "MRN": "mrn",
    "NAME": "full_name",
    "NPI": "npi",
    "PASSPORT": "passport",
    "PHONE": "phone",
    "PLATE": "license_plate",
    "ROUTING": "account",
    "URL": "url",
    "US_ITIN": "ssn",
    "US_SSN": "ssn",
    "VIN": "vin",
    "ZIP": "postcode",
}
"""Kinds of the masker `fake`, by label."""


_AGE: Final = "90"
"""Source: 45 CFR 164.514(b)(2)(i)(C), one category for all ages over 89."""


def tag(label: str, _: str) -> str:
    """`[PHONE]` and the like."""
    return f"[{label}]"


class Fakes:
    """Fakes by label, of the masker `fake` with its own key, so that a name gets the same fake as in a field; tags for
    what has no fake."""

    def __init__(self, make: Make) -> None:
        self._make = make
        self._maskers: dict[str, Masker] = {}

    def __call__(self, label: str, text: str) -> str:
        """A fake, or a tag."""
        if label == "AGE" and text.isdecimal():
            return _AGE
        kind = _KINDS.get(label)
        if kind is None:
            return tag(label, text)
        head = text.rpartition(" ")[2]
        if kind == "full_name" and len(text.strip(". ")) == 1:
            kind = "first_name"
        result = self._masker(kind).mask(Column("", [text], []))[0]
        if not isinstance(result, str) or not result:
            return tag(label, text)
        return f"{result} {head}" if label == "LOCATION" and head in FACILITY else result

    def cached_bytes(self) -> int:
        """Of all of them."""
        return sum(masker.cached_bytes() for masker in self._maskers.values())

    def drop_cache(self) -> None:
        """In all of them."""
        for masker in self._maskers.values():
            masker.drop_cache()

    def _masker(self, kind: str) -> Masker:
        if kind not in self._maskers:
            self._maskers[kind] = self._make("fake", {"kind": kind})
        return self._maskers[kind]
