"""Documents larger than a slice of a batch: masked piece by piece, put together again, and kept if that took long."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from phimask.masking.automaton import State
from phimask.masking.columns import BoundRule, Subjects
from phimask.masking.outcomes import (
    MAX_DOCUMENT_BYTES,
    TOO_LARGE,
    UNCHANGED,
    Masked,
    MaskedBatch,
    Outcome,
    Quarantined,
    not_walked,
)
from phimask.masking.pieces import Around, TooLarge, mask_in_pieces
from phimask.masking.unmapped import Unmapped
from phimask.rawbson import MalformedBsonError

_LONG: Final = 5.0
"""Seconds from which on the mask of a large document is kept for when it is asked for again."""

_LENGTHS: Final = 64 * 1024
"""What the pieces of a document may have more than it, since each has a length of its own."""


class _LeftOut(Exception):
    """A piece of a document cannot be masked, for this reason: the document is to be quarantined."""


@dataclass(frozen=True, slots=True, repr=False)
class _Kept:
    """A large document, and what was made of it: MongoDB ends a transaction after a minute, and one in which a document
    is masked for as long would never be written; when it is tried again, the mask is there."""

    raw: bytes
    root: State
    masked: MaskedBatch


class LargeDocuments:
    """Masks whole documents, one at a time, in pieces of about `size` bytes."""

    def __init__(self, rules: Sequence[BoundRule], size: int) -> None:
        self._rules = rules
        self._size = size
        # What is unmapped is counted anew each time.
        self._keeps = not any(isinstance(rule.masker, Unmapped) for rule in rules)
        self._kept: _Kept | None = None

    def forget(self) -> None:
        """Let go of what was kept."""
        self._kept = None

    def masked(
        self,
        raw: bytes,
        root: State,
        subjects: Callable[[bytes], Subjects],
        mask: Callable[[bytes, Subjects, Around], MaskedBatch],
    ) -> MaskedBatch:
        """The document by the automaton that begins at `root`, as a batch of one.

        `subjects` tells those of the document, `mask` masks a piece of it, which lies there, as a batch of one. Raises
        what `mask` raises.
        """
        kept = self._kept
        if kept is not None and kept.root is root and kept.raw == raw:
            return kept.masked
        self._kept = None
        start = time.perf_counter()
        done = MaskedBatch.nothing(len(self._rules))
        outcome = self._outcome(raw, root, subjects, mask, done)
        if isinstance(outcome, Quarantined):
            done = MaskedBatch.nothing(len(self._rules))
        done.outcomes.append(outcome)
        if self._keeps and time.perf_counter() - start > _LONG:
            self._kept = _Kept(raw, root, done)
        return done

    def _outcome(
        self,
        raw: bytes,
        root: State,
        subjects: Callable[[bytes], Subjects],
        mask: Callable[[bytes, Subjects, Around], MaskedBatch],
        done: MaskedBatch,
    ) -> Outcome:
        """The document's; what was done to its values is counted in `done`."""
        changed = False

        def piece(part: bytes, around: Around) -> bytes:
            nonlocal changed
            masked = mask(part, own, around)
            done.count(masked)
            (outcome,) = masked.outcomes
            if isinstance(outcome, Quarantined):
                raise _LeftOut(outcome.reason)
            if isinstance(outcome, Masked):
                changed = True
                return outcome.bson
            return part

        most = MAX_DOCUMENT_BYTES + _LENGTHS
        try:
            own = subjects(raw)
            whole = mask_in_pieces(raw, self._rules, root, piece, size=self._size, most=most)
        except TooLarge:
            return TOO_LARGE
        except _LeftOut as error:
            return Quarantined(str(error))
        except (MalformedBsonError, RecursionError) as error:
            return not_walked(error)
        if len(whole) > MAX_DOCUMENT_BYTES:
            return TOO_LARGE
        return Masked(whole) if changed else UNCHANGED
