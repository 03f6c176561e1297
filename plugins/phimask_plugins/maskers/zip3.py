"""zip3: the first three digits of a ZIP code, where enough people share them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from phimask import FAILED, Column, Masker
from phimask_plugins.maskers.scalars import like

LOW_POPULATION: Final = (
    "036", "059", "063", "102", "203", "556", "692", "790", "821",
    "823", "830", "831", "878", "879", "884", "890", "893",
)  # fmt: skip
"""The initial digits shared by 20,000 people or fewer. Source: HHS, "Guidance Regarding Methods for
De-identification of Protected Health Information in Accordance with the HIPAA Privacy Rule" (2012), on ZIP
codes, by the 2000 census."""

_ZIP: Final = re.compile(r"([0-9]{3})[0-9]{2}(-?)([0-9]{4})?")
_ZIP3: Final = re.compile(r"[0-9]{3}")


class Zip3(Masker):
    """Keeps the first three digits of a ZIP code and sets the others to 0; where the three are shared by too
    few people, all are 0: `02139-1234` becomes `02100-0000`, `03601` becomes `00000`.

    Takes strings of five digits or ZIP+4, and whole numbers, whose lost leading zeros are thought of.
    Anything else fails.

    The 17 areas of 20,000 people or fewer are those that HHS lists in its guidance of 2012, by ZIP code tabulation
    areas of the 2000 census. The rule asks for the currently available census; HHS has listed none by a later one, so
    who works out a list from the census of 2010 or 2020 names it in `low_population`.

    Source: 45 CFR 164.514(b)(2)(i)(B); HHS, "Guidance Regarding Methods for De-identification of Protected Health
    Information" (2012), on ZIP codes.
    """

    name = "zip3"
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "style": {
                "enum": ["zeros", "short"],
                "default": "zeros",
                "description": "zeros keeps a string's length; short leaves its three digits alone (numbers keep "
                "zeros).",
            },
            "low_population": {
                "type": "array",
                "items": {"type": "string", "pattern": "^[0-9]{3}$"},
                "default": list(LOW_POPULATION),
                "description": "The initial three digits that too few people share; by default those that HHS lists, "
                "by the census of 2000.",
            },
        },
    }
    types = frozenset({"string", "int", "long"})
    changes = "maybe"
    idempotent = True

    def __init__(self, options: Mapping[str, Any], key: bytes | None = None) -> None:
        """`style` and `low_population`, as the schema says."""
        super().__init__(options, key)
        self._short: bool = options.get("style", "zeros") == "short"
        self._low: frozenset[str] = frozenset(options.get("low_population", LOW_POPULATION))

    def mask(self, column: Column) -> list[Any]:
        """Coarse ZIP codes."""
        return [self._coarse(value) for value in column.values]

    def _coarse(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(value) if value else value
        if isinstance(value, int) and 0 <= value <= 99_999:
            return like(value, int(self._area(f"{value:05}"[:3])) * 100)
        return FAILED

    def _area(self, digits: str) -> str:
        return "000" if digits in self._low else digits

    def _text(self, text: str) -> Any:
        match = _ZIP.fullmatch(text)
        if match is None or (match[2] and match[3] is None):
            return self._area(text) if self._short and _ZIP3.fullmatch(text) else FAILED
        area = self._area(match[1])
        if self._short:
            return area
        return f"{area}00" + (f"{match[2]}0000" if match[3] else "")
