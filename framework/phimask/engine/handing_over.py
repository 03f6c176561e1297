"""The moment of a swap, seen from after it: a shadow that was caught up has the name, and what the original was still
written meanwhile is looked for. So may whoever comes after a crash."""

from __future__ import annotations

import time
from collections import Counter
from typing import Final

from pymongo.errors import OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from phimask.engine.closing import reopen
from phimask.engine.following import Following, now
from phimask.engine.swap import Names
from phimask.errors import StoreError
from phimask.ledger.changes import Changes
from phimask.ledger.runs import Runs
from phimask.ledger.swaps import Swap, Swaps
from phimask.planning.namespace import Namespace
from phimask.plugins.values import DocumentId, Finding
from phimask.store.connect import Client, raw_collection
from phimask.store.raw import by_id
from phimask.store.reading import whole_documents
from phimask.store.retry import classify

_AT_ONCE: Final = 500
_WAIT_SECONDS: Final = 30.0
_ATTEMPTS: Final = 10
_PATIENCE_SECONDS: Final = 0.1
_CONFLICTS: Final = (112, 246, 251)
"""WriteConflict: somebody wrote the document. SnapshotUnavailable, NoSuchTransaction: it took too long."""
_UNTOLD: Final = "untold"


def settle_caught_up(client: Client, runs: Runs, swaps: Swaps, swap: Swap) -> Swap:
    """Where a coordinator died about the moment of the swap: the original takes writes again, or the shadow has the
    name and what is left is done. As it stands then. Raises StoreError, and PyMongo's errors."""
    if swap.step not in ("closing", "swapping"):
        return swap
    if swap.step == "closing" or Names(client, swap).standing() == "before":
        return reopen(client, swaps, swap)
    source = Namespace(client, swap.database, swap.name)
    changes = Changes(runs.ledger, swaps.run, swap.namespace)
    following = Following(source, changes, swap.position, swap.watch, lambda mark: mark)
    following.begin()
    try:
        return finish(client, runs, swaps, swap, following)
    finally:
        following.close()


def finish(client: Client, runs: Runs, swaps: Swaps, swap: Swap, following: Following) -> Swap:
    """The shadow has the name: documents of the original that were deleted in the last moment are deleted there, too.

    Whatever else was written to the original then is lost, and noted by its kind. Raises StoreError, and PyMongo's
    errors; then it may be called again.
    """
    changes = Changes(runs.ledger, swaps.run, swap.namespace)
    lost: Counter[str] = Counter()
    after = swap.position
    try:
        following.wait_for_rename(_WAIT_SECONDS)
        while found := changes.listed(after, None, _AT_ONCE):
            for one, after, kind in found:  # noqa: B007  (the last one's number)
                if kind != "delete" or not _deleted_too(client, swap, following, one):
                    lost[kind] += 1
    except StoreError:
        lost[_UNTOLD] = 1  # the oplog does not reach back so far any more
    runs.adopt(swaps.run, swap.namespace, str(swap.shadow_uuid))
    swap = swaps.note(
        swap.namespace, swap.shadow, step="swapped", lost=dict(lost), changed=changes.count(), closed=None
    )
    Names(client, swap).drop_shadow()  # what somebody late may have made
    changes.forget()
    return swap


def lost_writes(swap: Swap) -> tuple[Finding, ...]:
    """Writes that came to an original as it gave up its name, past its validator, and are not in the shadow."""
    return tuple(
        Finding(
            "whether documents were deleted in the moment of the swap cannot be told any more", None, count
        )
        if kind == _UNTOLD
        else Finding(
            f"writes in the moment of the swap, past the validator, that are lost ({kind})", None, count
        )
        for kind, count in swap.lost.items()
    )


def _deleted_too(client: Client, swap: Swap, following: Following, found: DocumentId) -> bool:
    """Delete a document of the collection that has the name now; False: somebody has written it since.

    The transaction fails where somebody writes it after it was read, and what was written before then the change stream
    tells.
    """
    collection = raw_collection(client, swap.database, swap.name)
    for _ in range(_ATTEMPTS):
        try:
            with client.start_session() as session:
                session.start_transaction(ReadConcern("snapshot"), WriteConcern("majority"))
                if not whole_documents(collection, [found], session):
                    return True
                following.wait_for(now(client), lambda: False, _WAIT_SECONDS)
                if following.written_since_renamed(found):
                    return False
                collection.delete_one(by_id(found), session=session)
                session.commit_transaction()
                return True
        except PyMongoError as error:
            conflict = isinstance(error, OperationFailure) and error.code in _CONFLICTS
            if not conflict and classify(error) != "transient":
                raise
            time.sleep(_PATIENCE_SECONDS)
    raise StoreError(f"{swap.namespace}: a document that was deleted cannot be deleted")
