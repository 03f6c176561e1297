"""What masking makes of each document of a batch."""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import add
from typing import Final, Literal, TypeAlias

Mode = Literal["update", "whole"]

MAX_DOCUMENT_BYTES: Final = 16 * 1024 * 1024
"""MongoDB's limit for a BSON document ("MongoDB Limits and Thresholds")."""


@dataclass(frozen=True, slots=True)
class Masked:
    """A document's outcome: the raw update (mode update) or the raw masked document (mode whole)."""

    bson: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Nothing in the document is to be masked."""


@dataclass(frozen=True, slots=True)
class NeedsWhole:
    """No update can name a masked path (dots, `$`, duplicate or empty keys): mask the whole document."""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """The document is to be left as it is and named in the quarantine list; `reason` holds no value."""

    reason: str


Outcome: TypeAlias = Masked | Unchanged | NeedsWhole | Quarantined

UNCHANGED: Final = Unchanged()
NEEDS_WHOLE: Final = NeedsWhole()
TOO_LARGE: Final = Quarantined("masking makes the document larger than 16 MiB")


def not_walked(error: Exception) -> Quarantined:
    """What becomes of a document whose walk ended with MalformedBsonError or RecursionError."""
    return Quarantined("nested too deep" if isinstance(error, RecursionError) else "malformed BSON")


@dataclass(slots=True)
class MaskedBatch:
    """Outcomes parallel to the documents, and per rule how many values were masked, redacted because they
    failed, and kept.

    Of documents with an update, where the core is made to tell: `originals`, raw documents of the changed paths
    with what stood there before (None: only the whole document could be put back); `covered`, raw documents of all
    paths that rules cover, changed or not, with what stands there afterwards, nulls left out. `uncounted`: those,
    by number, that were left to be masked whole without a look at their values.
    """

    outcomes: list[Outcome]
    masked: list[int]
    redacted_on_error: list[int]
    kept: list[int]
    originals: list[bytes | None] = field(default_factory=list, repr=False)
    covered: list[bytes] = field(default_factory=list, repr=False)
    uncounted: set[int] = field(default_factory=set)

    @classmethod
    def nothing(cls, rules: int) -> MaskedBatch:
        """Of no documents yet, under so many rules."""
        return cls([], [0] * rules, [0] * rules, [0] * rules)

    def add(self, more: MaskedBatch) -> None:
        """The documents that follow."""
        self.uncounted.update(len(self.outcomes) + number for number in more.uncounted)
        self.outcomes += more.outcomes
        self.originals += more.originals
        self.covered += more.covered
        self.count(more)

    def count(self, more: MaskedBatch) -> None:
        """What was done to further values."""
        for mine, others in (
            (self.masked, more.masked),
            (self.redacted_on_error, more.redacted_on_error),
            (self.kept, more.kept),
        ):
            mine[:] = map(add, mine, others)
