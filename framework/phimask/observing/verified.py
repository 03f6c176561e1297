"""One validator's result as the report has it: how much it checked, what it found, what it could not judge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from phimask.observing.bounds import CONFIDENCE, upper_bound
from phimask.plugins.values import Finding

MOST_FINDINGS: Final = 100
"""So many different findings of one validator are told apart; the rest is one sum."""


@dataclass(slots=True)
class Verified:
    """Results of one validator in one phase, added up; see `verification_entry`."""

    checked: int = 0
    findings: Counter[tuple[str, str | None]] = field(default_factory=Counter)
    unjudged: Counter[tuple[str, str | None]] = field(default_factory=Counter)
    affected: int = 0
    of: int | None = None
    judged: bool = True

    def add(self, checked: int, findings: Sequence[Finding]) -> None:
        """So many more documents were checked, and this was found in them."""
        self.checked += checked
        for finding in findings:
            kind = (finding.what, finding.path)
            if kind not in self.findings and len(self.findings) >= MOST_FINDINGS:
                kind = ("further findings", None)
            self.findings[kind] += finding.count

    def entry(self, validator: str, phase: str) -> dict[str, Any]:
        """The report's."""
        return verification_entry(
            validator, phase, self.checked, self.findings, self.unjudged, self.affected, self.of, self.judged
        )


def verification_entry(
    validator: str,
    phase: str,
    checked: int,
    findings: Mapping[tuple[str, str | None], int],
    unjudged: Mapping[tuple[str, str | None], int],
    affected: int,
    of: int | None,
    judged: bool,
) -> dict[str, Any]:
    """One validator's result as the report has it; see its schema. `affected` documents had a finding; `of` so many
    they are a random sample, None: they are all; `judged`: it could judge anything at all."""
    sample = None
    if of is not None:
        sample = {
            "of": of,
            "affected": affected,
            "confidence": CONFIDENCE,
            "share_at_most": upper_bound(affected, checked),
        }
    return {
        "validator": validator,
        "phase": phase,
        "checked": checked,
        "findings": [
            {"what": what, "path": path, "count": count} for (what, path), count in findings.items()
        ],
        "unjudged": [
            {"what": what, "path": path, "count": count} for (what, path), count in unjudged.items()
        ],
        "sample": sample,
        "ok": judged and not findings,
    }
