"""remove: takes fields out."""

from __future__ import annotations

from typing import Any

from phimask import REMOVE, Column, Masker
from phimask_plugins.maskers.scalars import SCALARS


class Remove(Masker):
    """Takes the field out of its document, sub-documents and arrays included; an array's element becomes
    null, so that lengths stay. A field that holds null stays; where that tells something, take `nullify`.

    Source: ISO/IEC 20889:2018, "Privacy enhancing data de-identification terminology and classification of
    techniques", suppression by masking.
    """

    name = "remove"
    types = SCALARS | {"object", "array"}
    produces = frozenset({"null"})
    idempotent = True
    containers = True
    removes = True

    def mask(self, column: Column) -> list[Any]:
        """REMOVE for each."""
        return [REMOVE] * len(column.values)

    def server_expression(self, bson_type: str) -> Any:  # noqa: ARG002  (whatever the type)
        """Nothing."""
        return "$$REMOVE"
