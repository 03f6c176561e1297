"""Ranges of about equally many bytes, found by sampling `_id`s."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

from phimask import DocumentId, Partition, Partitioner, Source, StoreError
from phimask_plugins.partitioners.ranges import between, every

_LOG: Final = logging.getLogger("phimask.plugins")

_RANDOM_CURSOR_SHARE: Final = 0.05


class SamplePartitioner(Partitioner):
    """As many ranges as `target_size` goes into the collection's bytes, cut at every n-th of the sampled `_id`s.

    More samples a partition make more even partitions: their sizes scatter by about 1 / sqrt(samples).
    Where sampling fails, is answered too thinly, or would read the whole collection, the `_id` index is walked
    instead, and the log says why. MongoDB's `$sample` reads and sorts everything from a twentieth of the
    documents on. Source: MongoDB manual, $sample, Behavior.
    """

    name: ClassVar[str] = "sample"
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "target_size": {
                "format": "size",
                "default": "128MB",
                "description": "about how many BSON bytes a partition holds",
            },
            "samples_per_partition": {
                "type": "integer",
                "minimum": 1,
                "default": 10,
                "description": "how many _ids are sampled for each partition",
            },
        },
    }

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        if options["target_size"] <= 0:
            raise ValueError("target_size is no size; give it a positive size such as 128MB")

    def partitions(self, source: Source) -> Iterator[Partition]:
        """The boundaries are asked for at once, or one by one when the index is walked."""
        last = source.last_id()
        if last is None:
            return
        count = min(-(-source.bytes // self.options["target_size"]), source.documents)
        if count <= 1:
            yield Partition(0, None, last, source.documents)
            return
        each = -(-source.documents // count)
        boundaries = self._sampled(source, count)
        yield from between(
            every(each, source) if boundaries is None else boundaries, last, source.documents, each
        )

    def _sampled(self, source: Source, count: int) -> list[DocumentId] | None:
        wanted = count * self.options["samples_per_partition"]
        reason, samples = "", list[DocumentId]()
        if wanted >= source.documents * _RANDOM_CURSOR_SHARE:
            reason = f"{wanted} samples of {source.documents} documents would read the whole collection"
        else:
            try:
                samples = list(source.sample_ids(wanted))
            except StoreError as error:
                reason = f"sampling failed: {error}"
            else:
                if len(samples) < max(count, wanted // 2):
                    reason = f"only {len(samples)} of {wanted} samples came back"
        if reason:
            _LOG.info("partitions are cut by walking the _id index: %s", reason)
            return None
        return [samples[number * len(samples) // count] for number in range(1, count)]
