"""How much of what is labelled as identifying the FHIR pack masks, and how much of the rest it leaves alone.

python tests/packs/fhir_coverage.py
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field

from fhir_leaks import LABELS
from pack_masking import leaves, masked


@dataclass
class Coverage:
    """Counts of leaves by label; paths (without indices) of labelled ones that stayed and unlabelled ones that went."""

    labelled: Counter[str] = field(default_factory=Counter)
    masked: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    unlabelled: int = 0
    taken: Counter[str] = field(default_factory=Counter)

    @property
    def recall(self) -> float:
        """The share of labelled leaves that are masked."""
        return self.masked.total() / self.labelled.total()

    @property
    def unchanged(self) -> float:
        """The share of unlabelled leaves that stay."""
        return 1 - self.taken.total() / self.unlabelled


def measure(pack: str = "fhir-r4") -> Coverage:
    """The pack over all labelled documents."""
    coverage = Coverage()
    with LABELS.open(encoding="utf-8") as lines:
        for line in lines:
            labelled = json.loads(line)
            labels = dict(labelled["labels"])
            before = {leaf.place: leaf for leaf in leaves(labelled["doc"])}
            after = {leaf.place: leaf.value for leaf in leaves(masked(pack, labelled["doc"]))}
            if before.keys() != labels.keys():
                raise ValueError("the labels are of other leaves than the document has")
            for place, label in labels.items():
                changed = place not in after or after[place] != before[place].value
                if label is None:
                    coverage.unlabelled += 1
                    coverage.taken.update([before[place].path] * changed)
                else:
                    coverage.labelled[label] += 1
                    coverage.masked[label] += changed
                    coverage.missed.update([before[place].path] * (not changed))
    return coverage


def main() -> None:
    """Print the table."""
    coverage = measure()
    print(f"{'label':<16} {'leaves':>7} {'masked':>7}")
    for label, count in sorted(coverage.labelled.items()):
        print(f"{label:<16} {count:>7} {coverage.masked[label]:>7}")
    print(
        f"{'all':<16} {coverage.labelled.total():>7} {coverage.masked.total():>7}   recall {coverage.recall:.4f}"
    )
    print(f"missed: {dict(coverage.missed) or 'none'}")
    print(
        f"not labelled: {coverage.unlabelled} leaves, {coverage.unchanged:.4f} of them unchanged; taken all the same:"
    )
    for path, count in coverage.taken.most_common():
        print(f"  {count:>5} {path}")


if __name__ == "__main__":
    main()
