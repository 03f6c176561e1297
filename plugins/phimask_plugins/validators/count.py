"""Validator `count`: every document read is accounted for, and the result holds as many as it must."""

from __future__ import annotations

from collections.abc import Iterator

from phimask import Finding, Totals, Validator


class Count(Validator):
    """No document is lost and none is made up.

    What was read was written, unchanged, quarantined or deleted by someone else meanwhile; and where the
    number of stored documents is known, it is what was read without those quarantined and those deleted.
    Documents deleted meanwhile are no finding.
    """

    name = "count"
    phases = frozenset({"during", "after"})

    def totals(self, totals: Totals) -> Iterator[Finding]:
        """A finding for each sum that does not come out; its count is by how many documents."""
        accounted = totals.written + totals.unchanged + totals.quarantined + totals.missing
        if accounted != totals.read:
            yield Finding(
                f"{totals.read} documents were read, {accounted} are accounted for",
                count=abs(totals.read - accounted),
            )
        if totals.stored is None:
            return
        expected = totals.read - totals.quarantined - totals.missing
        if totals.stored != expected:
            yield Finding(
                f"{expected} documents should be stored, {totals.stored} are",
                count=abs(totals.stored - expected),
            )
