"""Sample documents into a collection, fast: written while the next ones are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import bson
from bson.raw_bson import RawBSONDocument
from pymongo.collection import Collection
from pymongo.errors import PyMongoError

from phimask.store.retry import terminal_error
from phimask.store.sample.documents import DEFAULT_MIX, sample_documents

_BATCH_BYTES = 2_000_000


def load_samples(
    collection: Collection[Any],
    count: int,
    seed: int,
    mix: Mapping[str, float] = DEFAULT_MIX,
    id_types: Sequence[str] = ("objectId",),
    *,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Inserts the documents 0 to `count` - 1; `progress` is told after each batch how many are in by then.

    Raises UsageError for a mix or type that there is not, StoreError where the server refuses documents, as
    it does when they are there already.
    """
    inserted = 0
    writing: Future[int] | None = None
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="phimask-samples") as writer:

        def settle() -> None:
            nonlocal inserted
            if writing is not None:
                inserted += writing.result()
                if progress is not None:
                    progress(inserted)

        batch: list[RawBSONDocument] = []
        size = 0
        for document in sample_documents(count, seed, mix, id_types):
            encoded = bson.encode(document)
            batch.append(RawBSONDocument(encoded))
            size += len(encoded)
            if size >= _BATCH_BYTES:
                settle()
                writing = writer.submit(_insert, collection, batch)
                batch, size = [], 0
        settle()
        writing = writer.submit(_insert, collection, batch) if batch else None
        settle()


def _insert(collection: Collection[Any], batch: Sequence[RawBSONDocument]) -> int:
    try:
        collection.insert_many(batch, ordered=False)
    except PyMongoError as error:
        raise terminal_error(error, f"sample documents into {collection.full_name}") from None
    return len(batch)
