"""Where to cut what is left of a partition in two, found by a few looks at the `_id` index."""

from __future__ import annotations

from typing import Any, Final

from phimask.plugins.values import DocumentId
from phimask.store.raw import identity_of, within
from phimask.store.source import ID_ORDER

WORTH_SECONDS: Final = 0.25
"""What is left has to take its holder so long: with less, it is done sooner than the other is there."""
_FARTHEST: Final = 2_000_000


def middle_of(
    collection: Any, after: DocumentId | None, upto: DocumentId | None, worth: int
) -> DocumentId | None:
    """An `_id` near the middle of the range (after, upto], or None where there are fewer documents than are `worth` it.

    Near: at least a quarter of the documents lie on either side, unless there are more than four million.
    """
    skip = max(2, worth)
    if _nth(collection, after, upto, skip) is None:
        return None
    while skip < _FARTHEST and _nth(collection, after, upto, skip * 2) is not None:
        skip *= 2
    return _nth(collection, after, upto, skip // 2)


def _nth(
    collection: Any, after: DocumentId | None, upto: DocumentId | None, number: int
) -> DocumentId | None:
    """The `_id` of the range's n-th document, the first being 1."""
    found = collection.find_one(
        within(after, upto), {"_id": 1}, sort=ID_ORDER, hint=ID_ORDER, skip=number - 1
    )
    return None if found is None else identity_of(found)
