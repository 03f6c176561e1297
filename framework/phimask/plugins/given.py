"""What components are given to work with: a collection to cut, a job to do, and word of when to stand still."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from phimask.plugins.events import Event
from phimask.plugins.values import DocumentId, Lane


class Source(Protocol):
    """What a partitioner may ask of a collection, or of what lies beyond one of its `_id`s.

    No answer lies beyond `last_id()`: what is inserted behind it meanwhile is not the run's. None lies before
    `after` either. `--query` and `--limit` do not count here: partitions cover the collection, the reading
    applies them.
    """

    @property
    def after(self) -> DocumentId | None:
        """The `_id` behind which the documents begin, as when partitioning goes on; None: with the first."""
        ...

    @property
    def documents(self) -> int:
        """The estimated number of documents."""
        ...

    @property
    def bytes(self) -> int:
        """The estimated BSON bytes of all documents."""
        ...

    def first_id(self) -> DocumentId | None:
        """The least `_id` now, or None where there are no documents."""
        ...

    def last_id(self) -> DocumentId | None:
        """The greatest `_id` at the start of the run, or None where there are no documents."""
        ...

    def sample_ids(self, size: int) -> Sequence[DocumentId]:
        """Up to `size` random `_id`s in BSON order, without repeats; may raise StoreError (28799 and others)."""
        ...

    def id_after(self, after: DocumentId | None, skip: int) -> DocumentId | None:
        """The `_id` that `skip` documents (at least 1) beyond `after`, or beyond the beginning, end with; None where
        that would be the last `_id`, or past it. The `_id` index is walked so far."""
        ...

    def split_points(self, after: DocumentId | None, size: int) -> Sequence[DocumentId]:
        """The next `_id`s, in order, at which the server's command splitVector cuts what lies beyond `after`, or beyond
        the beginning, into pieces of about `size` bytes; ask again from the last of them. None: nothing to cut.
        May raise StoreError, whose message says why."""
        ...

    def chunk_bound(self, database: str, after: DocumentId, upto: DocumentId) -> DocumentId | None:
        """The greatest `_id` in (`after`, `upto`] with which a chunk of the sharded collection begins, or None.

        `database` is where the cluster lists its chunks: `config`. May raise StoreError, whose message says why:
        the collection is not sharded, or not by `_id` in its order, or the list may not be read."""
        ...


class Control(Protocol):
    """How work is told to stand still and to end: looked at between batches. `phimask.StopSignal` is one."""

    @property
    def stopping(self) -> bool:
        """True once somebody asked for the end: nothing new is begun after the batch in hand."""
        ...

    @property
    def holding(self) -> tuple[str, ...]:
        """The reasons to stand still now; empty: go on."""
        ...

    def wait(self, seconds: float) -> bool:
        """Wait so long, but no longer than until the end is asked for; true if it is."""
        ...


class Job(Protocol):
    """The masking of one collection, whose partitions wait in the ledger. It can be pickled, and works in any process.

    Several workers may be at it at once; the ledger gives each partition to one of them.
    """

    @property
    def partitions(self) -> int | None:
        """How many are left as work begins, as far as is known: more workers than that find nothing to do."""
        ...

    def work(
        self, worker: str, control: Control, tell: Callable[[Event], None], lane: Lane | None = None
    ) -> None:
        """Lease partitions of a lane and mask them, here, until none is left or `control.stopping`. Without a lane:
        all, those of oversize documents last.

        `worker` is a name that no other worker of the run has meanwhile. Raises phimask.PhimaskError and its kinds
        (SafeStop, Interrupted, MaskingError, StoreError); partitions that it holds then wait for the end of their
        leases, or for `abandon`.
        """
        ...

    def set_aside(self) -> int:
        """How many partitions wait in the lane of oversize documents now. Raises phimask.StoreError."""
        ...

    def abandon(self, worker: str) -> None:
        """That worker is dead for certain: its leases end now, so that others may take its partitions over."""
        ...
