"""Ranges of about equally many bytes, found by sampling `_id`s."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

from phimask import DocumentId, Source
from phimask_plugins.partitioners.ranges import SizedPartitioner, sampled, sized_options, walked

SAMPLES_PER_PARTITION: Final = 10


class SamplePartitioner(SizedPartitioner):
    """As many ranges as `target_size` goes into the collection's bytes, cut at every n-th of the sampled `_id`s.

    More samples a partition make more even partitions: their sizes scatter by about 1 / sqrt(samples).
    Where sampling fails, is answered too thinly, or would read the whole collection, the `_id` index is walked
    instead, and the log says why. All boundaries are asked for at once, or one by one when the index is walked.
    """

    name: ClassVar[str] = "sample"
    options_schema: ClassVar[Mapping[str, Any]] = sized_options(
        samples_per_partition={
            "type": "integer",
            "minimum": 1,
            "default": SAMPLES_PER_PARTITION,
            "description": "how many _ids are sampled for each partition",
        }
    )

    def boundaries(self, source: Source, count: int, each: int) -> Iterator[DocumentId]:
        """See SizedPartitioner."""
        yield from by_sampling(source, count, each, self.options["samples_per_partition"])


def by_sampling(
    source: Source, count: int, each: int, per_partition: int = SAMPLES_PER_PARTITION
) -> Iterator[DocumentId]:
    """The boundaries of `count` ranges among `per_partition` samples for each, or those of a walk."""
    wanted = count * per_partition
    samples = sampled(source, wanted, max(count, wanted // 2))
    if isinstance(samples, str):
        yield from walked(samples, each, source)
    else:
        yield from (samples[number * len(samples) // count] for number in range(1, count))
