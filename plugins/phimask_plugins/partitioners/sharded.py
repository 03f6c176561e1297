"""Ranges that follow a sharded collection's chunks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from phimask import DocumentId, Source, StoreError
from phimask_plugins.partitioners.ranges import LOG, SizedPartitioner, sized_options, walked
from phimask_plugins.partitioners.sample import by_sampling


class ShardedPartitioner(SizedPartitioner):
    """Ranges of about `target_size` that end where chunks do, so that a partition keeps to as few shards as can be.

    Chunks are joined up to that size, and a larger one is cut by walking the `_id` index. That takes a sharded
    collection whose shard key is `{_id: 1}`: chunks of other keys, hashed ones too, say nothing of the order of
    `_id`s. Otherwise `sample` cuts, and the log says why. Needs the right to read the config database.
    """

    name: ClassVar[str] = "sharded"
    options_schema: ClassVar[Mapping[str, Any]] = sized_options(
        config_database={
            "type": "string",
            "minLength": 1,
            "default": "config",
            "description": "the database in which the cluster lists its collections and chunks",
        }
    )

    def boundaries(self, source: Source, count: int, each: int) -> Iterator[DocumentId]:
        """See SizedPartitioner."""
        config: str = self.options["config_database"]
        after: DocumentId | None = None
        while (full := source.id_after(after, each)) is not None:
            # A chunk's bound in front of the next document would make an empty partition.
            following = source.id_after(after, 1) or full
            try:
                bound = source.chunk_bound(config, following, full)
            except StoreError as error:
                if after is None:
                    LOG.info("partitions are cut by sampling: %s", error)
                    yield from by_sampling(source, count, each)
                else:
                    yield from walked(str(error), each, source, after)
                return
            after = bound or full
            yield after
