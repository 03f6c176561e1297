"""A collection of a connected deployment, by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from phimask.store.connect import Client, raw_collection


@dataclass(frozen=True, slots=True)
class Namespace:
    """A collection of a connected deployment."""

    client: Client
    database: str
    collection: str

    def __str__(self) -> str:
        return f"{self.database}.{self.collection}"

    def raw(self) -> Any:
        """The collection with raw documents and majority concerns."""
        return raw_collection(self.client, self.database, self.collection)
