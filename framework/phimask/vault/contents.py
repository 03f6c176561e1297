"""Reading a vault: first all of it, to know that it is whole, then partition by partition, as a rollback needs it.

A batch may be there several times: it was read again after a conflict, or its worker was killed and another took over.
Which of a document's originals is the true one is for the rollback to tell; here they come in the order in which they
were kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from phimask.errors import PhimaskError, VaultError
from phimask.vault.records import Original, Unreadable, records
from phimask.vault.sealing import DoesNotOpen, Part, Segment
from phimask.vault.storing import Damaged
from phimask.vault.vault import Vault

_MOST_NAMED = 20
"""So many damaged places are named one by one."""


@dataclass(frozen=True, slots=True, order=True)
class Copy:
    """A batch's originals, kept once: in the part's segments from `first` up to (not with) `end`.

    `settled`: the same writer went on to a later batch, so this one was written.
    """

    part: Part
    first: int
    end: int
    batch: int
    settled: bool


@dataclass(slots=True)
class Contents:
    """What a vault holds, by namespace and partition, in the order in which it was kept. `damage` is what is wrong with
    it, `damaged` the batches that can be named, and `segments` and `bytes` how much was read."""

    copies: dict[tuple[str, int], list[Copy]]
    damage: list[str] = field(default_factory=list)
    damaged: dict[tuple[str, int], set[int]] = field(default_factory=dict)
    segments: int = 0
    bytes: int = 0

    def missing(
        self,
        written: Mapping[tuple[str, int], int],
        left_out: Mapping[tuple[str, int], set[int]] | None = None,
    ) -> list[str]:
        """Which batches are not there, of partitions of which so many are known to be written; `left_out` are batches
        in which there may have been nothing to keep. Those that `damage` names are not named again."""
        found = []
        for place, count in sorted(written.items()):
            there = {copy.batch for copy in self.copies.get(place, ())} | self.damaged.get(place, set())
            there |= (left_out or {}).get(place, set())
            gone = [batch for batch in range(1, count + 1) if batch not in there]
            if gone:
                listed = ", ".join(map(str, gone[:_MOST_NAMED])) + (
                    ", ..." if len(gone) > _MOST_NAMED else ""
                )
                found.append(
                    f"{place[0]}, partition {place[1]}: the originals of {len(gone)} of its {count} batches are "
                    f"missing (batch {listed})"
                )
        return found


def survey(vault: Vault, parts: Sequence[Part] | None = None) -> Contents:
    """Read and open everything, or these parts, and keep none of it. Raises VaultError where the vault cannot be read
    at all."""
    contents = Contents({})
    for part in parts_of(vault, contents.damage) if parts is None else parts:
        copies = contents.copies.setdefault((part.namespace, part.partition), [])
        copies += _survey_part(vault, part, contents)
    return contents


def parts_of(vault: Vault, damage: list[str]) -> list[Part]:
    """All its parts; what is no part as it was written is told in `damage`. Raises VaultError where it cannot be
    read."""
    try:
        return vault.storage.parts(damage)
    except OSError as error:
        raise VaultError(_unreadable(vault, error)) from None


def _survey_part(vault: Vault, part: Part, contents: Contents) -> list[Copy]:
    copies: list[Copy] = []
    first = 0
    opens = True
    try:
        for segment in vault.storage.segments(part):
            contents.segments += 1
            contents.bytes += len(segment.sealed)
            if segment.sequence == 0:
                first, opens = segment.position, True
            try:
                vault.key.open(part, segment)
            except DoesNotOpen:
                opens = False
                contents.damage.append(_does_not_open(vault, part, segment))
                contents.damaged.setdefault((part.namespace, part.partition), set()).add(segment.batch)
            if segment.last and opens:
                copies.append(Copy(part, first, segment.position + 1, segment.batch, settled=False))
    except Damaged as damaged:
        contents.damage.append(str(damaged))
    except OSError as error:
        raise VaultError(_unreadable(vault, error)) from None
    return [
        Copy(one.part, one.first, one.end, one.batch, settled=after is not None and after.batch > one.batch)
        for one, after in zip(copies, [*copies[1:], None], strict=False)
    ]


def read(vault: Vault, copies: Sequence[Copy]) -> Iterator[tuple[Copy, Iterator[Original]]]:
    """These copies' originals, in this order; each has to be taken before the next.

    Raises PhimaskError where a segment does not open, or is gone, since the vault was surveyed.
    """
    for part, wanted in groupby(copies, key=lambda copy: copy.part):
        segments = vault.storage.segments(part)
        for copy in wanted:
            yield copy, _originals(vault, copy, segments)


def _originals(vault: Vault, copy: Copy, segments: Iterator[Segment]) -> Iterator[Original]:
    try:
        yield from records(_pieces(vault, copy, segments))
    except (Damaged, Unreadable) as error:
        raise _changed(str(error) or vault.storage.locate(copy.part)) from None
    except OSError as error:
        raise PhimaskError(_unreadable(vault, error)) from None


def _pieces(vault: Vault, copy: Copy, segments: Iterator[Segment]) -> Iterator[bytes]:
    at = copy.first
    for segment in segments:
        if segment.position < copy.first:
            continue
        try:
            piece = vault.key.open(copy.part, segment)
        except DoesNotOpen:
            raise Damaged(_does_not_open(vault, copy.part, segment)) from None
        yield piece
        at += 1
        if at == copy.end:
            return
    raise Damaged(f"{vault.storage.locate(copy.part)}: segment {at} is gone")


def _does_not_open(vault: Vault, part: Part, segment: Segment) -> str:
    return (
        f"{vault.storage.locate(part)}: segment {segment.position} (batch {segment.batch} of {part}) does not open: it "
        "was changed, moved or exchanged since it was written"
    )


def _changed(what: str) -> PhimaskError:
    return PhimaskError(f"the vault changed while it was read: {what}; nothing of this batch was put back")


def _unreadable(vault: Vault, error: OSError) -> str:
    return f"{error.filename or vault.where} cannot be read: {error.strerror or type(error).__name__}"
