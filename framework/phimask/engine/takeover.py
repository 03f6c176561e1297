"""Taking up a partition where somebody else left it: what became of a batch that was begun and never closed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from phimask.engine.commit import PlainCommitter
from phimask.engine.journal import Journal
from phimask.engine.preparing import Preparer
from phimask.errors import SafeStop
from phimask.ledger.leases import Intent
from phimask.masking.core import MaskingCore
from phimask.masking.fingerprints import Fingerprint
from phimask.plugins.values import DocumentId
from phimask.store.reading import projected_documents, whole_documents

CHANGED_MEANWHILE: Final = "changed by others while its masking was cut short"
POISON: Final = "ended the process that masked it, twice"

KeepNothing: TypeAlias = Callable[[Journal, int], None]

_AT_ONCE: Final = 500


def take_up_transactions(journal: Journal, nothing: KeepNothing | None = None) -> None:
    """A batch's transaction was committed as a whole or not at all, and says so itself. Raises LeaseLost.

    The vault is told of a number that is used up with `nothing` written under it.
    """
    lease = journal.lease
    assert journal.applied is not None  # noqa: S101  (for the type checker)
    if lease.intent is None:
        return
    if lease.intent.session is not None:
        journal.applied.end_transaction(lease.intent.session)
    if journal.applied.settle(lease, lease.intent.batch):
        _done(journal, lease.intent)
    else:
        journal.forget(lease.intent.batch)
        if nothing is not None:
            nothing(journal, lease.intent.batch)
        lease.batch = lease.intent.batch  # its number is used up
    lease.intent = None


def take_up_copies(journal: Journal) -> None:
    """Whatever was copied already is copied once more."""
    intent = journal.lease.intent
    if intent is not None:
        journal.forget(intent.batch)
        journal.lease.intent = None


def take_up_unjournaled(journal: Journal) -> None:
    """Without a journal nobody can tell what a holder that died has written. Raises SafeStop."""
    if journal.lease.crashes:
        raise SafeStop(
            "a worker died in a run without a journal (write.journal: false): what it had in hand is masked or is not, "
            "and masking it again might mask masked values; bring the collection back from where it came from"
        )


def take_up_plain(
    journal: Journal,
    preparer: Preparer,
    committer: PlainCommitter,
    looking: MaskingCore,
    fingerprint: Fingerprint,
    projection: Mapping[str, Any] | None,
    nothing: KeepNothing | None = None,
) -> None:
    """Find out by fingerprint which documents of the open batch were written, and write the others.

    A document as it will be is done; as it was read, it is masked now; anything else somebody changed meanwhile, which
    is not to be told from a half-known state: it is left out, and listed. Raises LeaseLost.
    """
    lease = journal.lease
    intent = lease.intent
    if intent is None:
        return
    untouched, strange = _sort(preparer, intent, looking, fingerprint, projection)
    waiting = sorted(untouched)
    if not waiting and nothing is not None:
        nothing(journal, intent.batch)
    for start in range(0, len(waiting), _AT_ONCE):
        documents = [untouched[at] for at in waiting[start : start + _AT_ONCE]]
        batch = preparer.prepare(documents, whole=projection is None)
        batch.number = intent.batch
        committer.write_again(batch, journal)
        strange.update(batch.quarantined)
        strange.update(batch.refused)
    journal.quarantine(intent.batch, strange)
    known = {one for one in intent.identities if one in strange}
    intent.tally.masked -= len(known)
    intent.tally.quarantined += len(known)
    _done(journal, intent)
    lease.intent = None  # not before: all of this is done again after an error that passes


def _sort(
    preparer: Preparer,
    intent: Intent,
    looking: MaskingCore,
    fingerprint: Fingerprint,
    projection: Mapping[str, Any] | None,
) -> tuple[dict[int, bytes], dict[DocumentId, str]]:
    """The documents that were not written, by their place in the intent, and those that nobody can tell."""
    untouched: dict[int, bytes] = {}
    strange: dict[DocumentId, str] = {}
    wholes = set(intent.whole)
    for start in range(0, len(intent.identities), _AT_ONCE):
        places = range(start, min(start + _AT_ONCE, len(intent.identities)))
        updated = [intent.identities[at] for at in places if at not in wholes]
        found = projected_documents(preparer.source, updated, projection)
        found |= whole_documents(preparer.source, [intent.identities[at] for at in places if at in wholes])
        for at in places:
            raw = found.get(intent.identities[at])
            if raw is None:
                continue  # deleted meanwhile
            if fingerprint.of(raw) == intent.before[at]:
                untouched[at] = raw
                continue
            now = raw if at in wholes else looking.mask([raw], "update").covered[0]
            if fingerprint.of(now) != intent.after[at]:
                strange[intent.identities[at]] = CHANGED_MEANWHILE
    return untouched, strange


def _done(journal: Journal, intent: Intent) -> None:
    lease = journal.lease
    lease.watermark, lease.batch, lease.tally = intent.upto, intent.batch, intent.tally
