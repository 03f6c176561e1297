"""partial: shows a value's first or last characters and covers the rest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from phimask import FAILED, Column, Masker
from phimask_plugins.maskers.scalars import is_text

_SEPARATORS: Final = r"\s\-/.,:;@()_+#"
_COVERED: Final = re.compile(f"[^{_SEPARATORS}]")


class Partial(Masker):
    """Covers a string's characters but for the first and last few: `123-45-6789` becomes `***-**-6789`.

    A value that has no more characters (separators not counted, where they are kept) than would stay is
    covered as a whole. What is shown is shown: four digits of a Social Security number are still PHI.

    Source: ISO/IEC 20889:2018, "Privacy enhancing data de-identification terminology and classification of
    techniques",
    suppression by masking.
    """

    name = "partial"
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "first": {
                "type": "integer",
                "minimum": 0,
                "default": 0,
                "description": "How many characters at the beginning stay.",
            },
            "last": {
                "type": "integer",
                "minimum": 0,
                "default": 4,
                "description": "How many characters at the end stay.",
            },
            "character": {
                "type": "string",
                "minLength": 1,
                "maxLength": 1,
                "default": "*",
                "description": "What covers a character.",
            },
            "keep_separators": {
                "type": "boolean",
                "default": True,
                "description": "Let white space and - / . , : ; @ ( ) _ + # show.",
            },
        },
    }
    types = frozenset({"string"})
    changes = "maybe"
    idempotent = True

    def __init__(self, options: Mapping[str, Any], key: bytes | None = None) -> None:
        """Raises ValueError for a `character` that cannot be seen or that is itself a kept separator."""
        super().__init__(options, key)
        self._first: int = options.get("first", 0)
        self._last: int = options.get("last", 4)
        self._character: str = options.get("character", "*")
        self._keep_separators: bool = options.get("keep_separators", True)
        # For ASCII a table is several times as fast as the pattern it is made from.
        self._table = {
            code: self._character if _COVERED.fullmatch(chr(code)) else chr(code) for code in range(128)
        }
        if not self._character.isprintable():
            raise ValueError("`character` cannot be printed; take one such as *")
        if self._keep_separators and not _COVERED.fullmatch(self._character):
            raise ValueError("`character` is a separator, which is kept as it is; take one such as *")

    def mask(self, column: Column) -> list[Any]:
        """Covered strings."""
        return [self._partial(value) for value in column.values]

    def _partial(self, value: str) -> Any:
        if not self._keep_separators:
            count = len(value)
            covered = self._character * count
        elif value.isascii():
            covered = value.translate(self._table)
            count = covered.count(self._character)
        else:
            covered, count = _COVERED.subn(lambda _: self._character, value)
        if count <= self._first + self._last:
            return covered
        end = len(value) - self._last
        result = value[: self._first] + covered[self._first : end] + value[end:]
        return result if is_text(result) else FAILED
