"""Ranges of about equally many bytes, as the server's own command for splitting chunks finds them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from phimask import DocumentId, Source, StoreError
from phimask_plugins.partitioners.ranges import SizedPartitioner, walked


class SplitVectorPartitioner(SizedPartitioner):
    """As many ranges as `target_size` goes into the collection's bytes, cut by the server's command `splitVector`.

    The server walks its `_id` index by itself, some ranges at a time, and takes all documents for equally large. The
    command needs the privilege `splitVector` (the role clusterManager has it) and a mongod: mongos refuses it, as
    mongod does where the collection has a collation. It takes ranges of 512 MB at most, and cuts nothing that is
    smaller than 1 MB. Where it is refused, the index is walked from outside, and the log says why.
    """

    name: ClassVar[str] = "split_vector"

    def boundaries(self, source: Source, count: int, each: int) -> Iterator[DocumentId]:  # noqa: ARG002
        """See SizedPartitioner."""
        after: DocumentId | None = None
        while True:
            try:
                points = source.split_points(after, self.options["target_size"])
            except StoreError as error:
                yield from walked(str(error), each, source, after)
                return
            if not points:
                return
            yield from points
            after = points[-1]
