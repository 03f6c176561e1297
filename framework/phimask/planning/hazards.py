"""Hazards: what a plan finds that a person should know before a run, each with its place, and who may decide on it.

`phimask.planning.hazard_kinds` lists what kinds there are. No hazard holds a value of a document.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from phimask.config.wording import guess_or_list
from phimask.errors import UsageError
from phimask.planning.hazard_kinds import KINDS, HazardKind, Severity

if TYPE_CHECKING:
    from phimask.planning.namespace import Namespace


@dataclass(frozen=True, slots=True)
class Hazard:
    """One thing found, of the kind `id`. `what` says it with names, and what to do; `where` is the namespace, or what
    else it is about; `path` and `index` are set where it has to do with one. `demoted`: it is only told here."""

    id: str
    what: str
    where: str | None = None
    path: str | None = None
    index: str | None = None
    demoted: bool = False

    @property
    def kind(self) -> HazardKind:
        """What all hazards of this kind have in common."""
        return KINDS[self.id]

    @property
    def severity(self) -> Severity:
        """Whether it refuses a run, is open until somebody decides, or is told."""
        return "told" if self.demoted else self.kind.severity

    def stops(self, accepted: Collection[str]) -> bool:
        """Whether it keeps a run from beginning, where these ids are accepted."""
        return self.severity == "refuses" or (self.severity == "decide" and self.id not in accepted)

    def __str__(self) -> str:
        if self.severity == "decide":
            return f"{self.what}, or accept it as it is: --accept {self.id}"
        return self.what

    def as_data(self, accepted: Collection[str]) -> dict[str, Any]:
        """For `plan --json`."""
        return {
            "id": self.id,
            "severity": self.severity,
            "accepted": self.severity == "decide" and self.id in accepted,
            "what": self.what,
            "where": self.where,
            "path": self.path,
            "index": self.index,
            "why": self.kind.why,
            "do": self.kind.do,
        }


def hazard(
    id: str,  # noqa: A002  (that is what it is called everywhere)
    place: Namespace | str | None,
    told: str,
    *,
    path: str | None = None,
    index: str | None = None,
) -> Hazard:
    """A hazard at a place; `told` goes on from the place's name, as in `: index 'i' is unique`."""
    where = None if place is None else str(place)
    return Hazard(id, f"{where or ''}{told}", where, path, index)


def checked_ids(ids: Iterable[str]) -> frozenset[str]:
    """What `--accept` names. Raises UsageError for what is no hazard's id, and for one that nobody may accept."""
    chosen = frozenset(ids)
    for one in sorted(chosen):
        kind = KINDS.get(one)
        if kind is None:
            guess = guess_or_list(one, acceptable(), "what can be accepted is")
            raise UsageError(f"--accept {one}: there is no such hazard; {guess}")
        if kind.severity != "decide":
            why = "nothing waits for it" if kind.severity == "told" else "nobody can accept it"
            raise UsageError(f"--accept {one}: {why}: {kind.title}; {kind.do}")
    return chosen


def acceptable() -> Sequence[str]:
    """The ids of hazards that a person decides on."""
    return [one.id for one in KINDS.values() if one.severity == "decide"]
