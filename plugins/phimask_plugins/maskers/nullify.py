"""nullify: null for every value."""

from __future__ import annotations

from typing import Any

from phimask import Column, Masker
from phimask_plugins.maskers.scalars import SCALARS


class Nullify(Masker):
    """Puts null in place of values and of whole sub-documents; arrays keep their length.

    Source: ISO/IEC 20889:2018, "Privacy enhancing data de-identification terminology and classification of
    techniques", suppression.
    """

    name = "nullify"
    types = SCALARS | {"object"}
    produces = frozenset({"null"})
    idempotent = True
    containers = True

    def mask(self, column: Column) -> list[None]:
        """As many nulls."""
        return [None] * len(column.values)

    def server_expression(self, bson_type: str) -> Any:  # noqa: ARG002  (whatever the type)
        """Null."""
        return {"$literal": None}
