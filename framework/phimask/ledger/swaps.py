"""Shadows in the ledger: of each collection that is masked through one, how far it is, noted before each step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from phimask.ledger.opening import Ledger

Step = Literal["filling", "swapping", "swapped", "taking_back", "given_up"]
"""filling: the shadow is made, filled and verified. swapping: the renames may have begun. swapped: the shadow has the
name. taking_back: the renames back may have begun. given_up: what was made is dropped, or about to be."""


@dataclass(frozen=True, slots=True)
class Swap:
    """One collection's. The three names are in `database`; UUIDs are what tells which collection has which of them.

    `kept`: the name that the original gets. `keep`: whether it stays there until somebody ends that. `watch`: from
    where on writes to the original are looked for. `verified`: what verification checked, and found nothing.
    """

    namespace: str
    shadow: str
    kept: str
    keep: bool
    original_uuid: str
    shadow_uuid: str | None = None
    step: Step = "filling"
    watch: Mapping[str, Any] = field(default_factory=dict)
    verified: tuple[tuple[str, int], ...] = ()

    @property
    def database(self) -> str:
        """Of all three."""
        return self.namespace.partition(".")[0]

    @property
    def name(self) -> str:
        """The name that is swapped."""
        return self.namespace.partition(".")[2]


class Swaps:
    """One run's shadows, in the ledger's collection `swaps`."""

    def __init__(self, ledger: Ledger, run: str) -> None:
        self.run = run
        self._kept = ledger.named("swaps")

    def enter(self, swap: Swap) -> None:
        """A shadow is about to be made."""
        fields = {
            "shadow": swap.shadow,
            "kept": swap.kept,
            "keep": swap.keep,
            "original_uuid": swap.original_uuid,
            "shadow_uuid": swap.shadow_uuid,
            "step": swap.step,
            "watch": dict(swap.watch),
            "verified": [],
        }
        self._kept.update_one({"_id": self._id(swap.namespace)}, {"$set": fields}, upsert=True)

    def note(self, namespace: str, **fields: Any) -> Swap:
        """Change what is known; as it is then."""
        self._kept.update_one({"_id": self._id(namespace)}, {"$set": fields})
        found = self.of(namespace)
        assert found is not None  # noqa: S101  (for the type checker)
        return found

    def of(self, namespace: str) -> Swap | None:
        """A collection's; None: it is not entered."""
        return next((one for one in self.all() if one.namespace == namespace), None)

    def all(self) -> list[Swap]:
        """All of the run's."""
        return [
            Swap(
                namespace=found["_id"]["namespace"],
                shadow=found["shadow"],
                kept=found["kept"],
                keep=found["keep"],
                original_uuid=found["original_uuid"],
                shadow_uuid=found["shadow_uuid"],
                step=found["step"],
                watch=found["watch"],
                verified=tuple((one["validator"], one["checked"]) for one in found["verified"]),
            )
            for found in self._kept.find({"_id.run": self.run}, sort=[("_id", 1)])
        ]

    def _id(self, namespace: str) -> dict[str, str]:
        return {"run": self.run, "namespace": namespace}
