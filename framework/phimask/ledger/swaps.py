"""Shadows in the ledger: of each collection that is masked through one, how far it is, noted before each step."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from bson.binary import Binary

from phimask.ledger.opening import Ledger
from phimask.ledger.runs import Superseded

Step = Literal["filling", "closing", "swapping", "swapped", "taking_back", "given_up"]
"""filling: the shadow is made, filled, caught up and verified. closing: the original may refuse writes. swapping: the
renames may have begun. swapped: the shadow has the name. taking_back: the renames back may have begun. given_up: what
was made is dropped, or about to be."""

_KEPT = ("position", "caught", "changed", "closed", "closed_seconds", "lost", "watch")


@dataclass(frozen=True, slots=True)
class Swap:
    """One collection's. The three names are in `database`; UUIDs are what tells which collection has which of them.

    `kept`: the name that the original gets. `keep`: whether it stays there until somebody ends that. `watch`: from
    where on writes to the original are looked for. `verified`: what verification checked, and found nothing.

    With `catch_up` others may write: `position` is the number up to which their changes are in the shadow, `caught`
    what was counted of values in them, `changed` in the end how many documents. `closed`: the options by which the
    original judged documents before it was closed (BSON); `closed_seconds`: how long it was; `lost`: writes that came
    to it even so and are not in the shadow, by kind.
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
    catch_up: bool = False
    position: int = 0
    caught: Mapping[str, Any] = field(default_factory=dict)
    changed: int | None = None
    closed: bytes | None = None
    closed_seconds: float | None = None
    lost: Mapping[str, int] = field(default_factory=dict)

    @property
    def database(self) -> str:
        """Of all three."""
        return self.namespace.partition(".")[0]

    @property
    def name(self) -> str:
        """The name that is swapped."""
        return self.namespace.partition(".")[2]

    @property
    def filled_as(self) -> str:
        """The name under which workers fill it; who catches it up gives it a name with a number of their own."""
        return re.sub(r"\.\d+$", "", self.shadow)


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
            "catch_up": swap.catch_up,
        }
        self._kept.update_one({"_id": self._id(swap.namespace)}, {"$set": fields}, upsert=True)

    def note(self, namespace: str, shadow: str | None = None, /, **fields: Any) -> Swap:
        """Change what is known; as it is then.

        With `shadow`, only where that is the shadow's name still. Raises Superseded where another coordinator has given
        it a name of its own.
        """
        known = {"_id": self._id(namespace), **({} if shadow is None else {"shadow": shadow})}
        if isinstance(fields.get("closed"), bytes):
            fields["closed"] = Binary(fields["closed"])
        if not self._kept.update_one(known, {"$set": fields}).matched_count:
            raise Superseded
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
                verified=tuple((one["validator"], one["checked"]) for one in found["verified"]),
                catch_up=found.get("catch_up", False),
                **{name: found[name] for name in _KEPT if name in found},
            )
            for found in self._kept.find({"_id.run": self.run}, sort=[("_id", 1)])
        ]

    def _id(self, namespace: str) -> dict[str, str]:
        return {"run": self.run, "namespace": namespace}
