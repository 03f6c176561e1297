"""What has become of documents so far: counts that add up over batches, partitions and restarts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from phimask.path_counts import MOST_FIELDS, PathCounts, with_few_paths
from phimask.plugins.values import Finding, Totals

_COUNTS: Final = ("read", "masked", "unchanged", "missing", "quarantined", "batches", "bytes")


@dataclass(slots=True)
class Tally:
    """Counts of documents, per rule of values (masked, redacted on error, kept), of unmapped paths, and what
    validators found in batches: (validator, documents checked, findings). No values, no `_id`s."""

    read: int = 0
    masked: int = 0
    unchanged: int = 0
    missing: int = 0
    quarantined: int = 0
    batches: int = 0
    bytes: int = 0
    rules: list[list[int]] = field(default_factory=list)
    unmapped: PathCounts = field(default_factory=PathCounts)
    checked: Counter[str] = field(default_factory=Counter)
    findings: Counter[tuple[str, str, str | None]] = field(default_factory=Counter)

    def add(self, other: Tally) -> None:
        """Take another's counts in."""
        for name in _COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        while len(self.rules) < len(other.rules):
            self.rules.append([0, 0, 0])
        for mine, more in zip(self.rules, other.rules, strict=False):
            for position, count in enumerate(more):
                mine[position] += count
        self.unmapped.add(other.unmapped)
        self.checked.update(other.checked)
        self.findings.update(other.findings)
        if len(self.findings) > MOST_FIELDS:
            self.findings = Counter(
                {
                    (name, what, path): count
                    for name in {name for name, _, _ in self.findings}
                    for (what, path), count in self._found(name).items()
                }
            )

    def add_values(self, other: Tally) -> None:
        """Take in only what another counted of values: its documents are counted already."""
        self.add(Tally(rules=other.rules, unmapped=other.unmapped))

    def plus(self, other: Tally) -> Tally:
        """Both, in a new one."""
        result = Tally()
        result.add(self)
        result.add(other)
        return result

    def totals(self) -> Totals:
        """For validators."""
        return Totals(self.read, self.masked, self.unchanged, self.quarantined, self.missing)

    def found(self, validator: str) -> tuple[Finding, ...]:
        """A validator's findings."""
        return tuple(Finding(what, path, count) for (what, path), count in self._found(validator).items())

    def _found(self, validator: str) -> Counter[tuple[str, str | None]]:
        return with_few_paths(
            {(what, path): count for (name, what, path), count in self.findings.items() if name == validator}
        )

    def document(self) -> dict[str, Any]:
        """As the ledger keeps it."""
        return {
            **{name: getattr(self, name) for name in _COUNTS},
            "rules": [list(one) for one in self.rules],
            "unmapped": self.unmapped.kept(),
            "checked": [[name, count] for name, count in self.checked.items()],
            "findings": [[*key, count] for key, count in self.findings.items()],
        }

    @classmethod
    def of(cls, kept: Mapping[str, Any] | None) -> Tally:
        """From what the ledger keeps."""
        if not kept:
            return cls()
        rules: Sequence[Sequence[int]] = kept["rules"]
        return cls(
            **{name: int(kept[name]) for name in _COUNTS},
            rules=[list(one) for one in rules],
            unmapped=PathCounts.of(kept["unmapped"]),
            checked=Counter(dict(kept["checked"])),
            findings=Counter({(name, what, path): count for name, what, path, count in kept["findings"]}),
        )


def total(tallies: Iterable[Tally]) -> Tally:
    """All of them together."""
    result = Tally()
    for one in tallies:
        result.add(one)
    return result
