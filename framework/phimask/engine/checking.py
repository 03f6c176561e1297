"""Validators at work: what they find is counted by path and told to observers, never with a value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from phimask.plugins.interfaces import Validator
from phimask.plugins.values import DocumentPair, Finding, Phase, Totals


@dataclass(frozen=True, slots=True)
class Checked:
    """A validator's result in one phase: how many documents it saw, and what it found, added up."""

    validator: str
    phase: Phase
    checked: int
    findings: tuple[Finding, ...]


class Checks:
    """The validators of one phase over any number of documents and totals."""

    def __init__(self, phase: Phase, validators: Sequence[Validator]) -> None:
        self.phase: Phase = phase
        self._validators = [one for one in validators if phase in one.phases]
        self._seen: Counter[str] = Counter({one.name: 0 for one in self._validators})
        self._found: dict[str, Counter[tuple[str, str | None]]] = {
            one.name: Counter() for one in self._validators
        }

    @property
    def wanted(self) -> bool:
        """Whether any validator takes part in this phase."""
        return bool(self._validators)

    def documents(self, pairs: Iterable[DocumentPair]) -> None:
        """Show documents to every validator."""
        for pair in pairs:
            for one in self._validators:
                self._seen[one.name] += 1
                self._note(one, lambda one=one, pair=pair: one.document(pair))  # type: ignore[misc]

    def totals(self, totals: Totals) -> None:
        """Show counts to every validator."""
        for one in self._validators:
            self._note(one, lambda one=one: one.totals(totals))  # type: ignore[misc]

    def _note(self, one: Validator, ask: Callable[[], Iterable[Finding]]) -> None:
        try:
            for finding in ask():
                self._found[one.name][finding.what, finding.path] += finding.count
        except Exception as error:  # noqa: BLE001  (a validator that breaks has not validated: that is a finding)
            self._found[one.name][f"the validator failed ({type(error).__name__})", None] += 1

    def take(self) -> tuple[Counter[str], Counter[tuple[str, str, str | None]]]:
        """What was checked and found since this was last asked: documents by validator, and findings."""
        seen = Counter(self._seen)
        found = Counter(
            {
                (name, what, path): count
                for name, kinds in self._found.items()
                for (what, path), count in kinds.items()
            }
        )
        for one in self._validators:
            self._seen[one.name] = 0
            self._found[one.name].clear()
        return seen, found

    def results(self) -> list[Checked]:
        """What there is so far."""
        return [
            Checked(
                one.name,
                self.phase,
                self._seen[one.name],
                tuple(Finding(what, path, count) for (what, path), count in self._found[one.name].items()),
            )
            for one in self._validators
            if self._seen[one.name] or self._found[one.name] or _judges_totals(one)
        ]


def _judges_totals(validator: Validator) -> bool:
    """Whether the validator looks at counts at all; one that does not has checked nothing without documents."""
    return type(validator).totals is not Validator.totals
