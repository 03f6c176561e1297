"""The canary: a run's first batches decide whether there should be any more."""

from __future__ import annotations

from phimask.config.model import Canary
from phimask.errors import SafeStop
from phimask.plugins.values import BatchCost

_MB = 1_000_000


class CanaryWatch:
    """Adds up the first batches; raises SafeStop with what it measured and what to change."""

    def __init__(self, settings: Canary) -> None:
        self._settings = settings
        self._batches = 0
        self._documents = 0
        self._seconds = 0.0

    def record(self, cost: BatchCost, elapsed: float, rss_bytes: int) -> None:
        """One batch: its cost, the wall-clock seconds since the one before, resident memory after it."""
        limits = self._settings
        if self._batches >= limits.batches:
            return
        self._batches += 1
        self._documents += cost.documents
        self._seconds += elapsed
        if rss_bytes > limits.max_memory:
            raise SafeStop(
                f"canary: batch {self._batches} used {rss_bytes / _MB:,.0f} MB, over the limit of "
                f"{limits.max_memory / _MB:,.0f} MB; lower batch_sizer.options.bytes, or raise canary.max_memory"
            )
        if cost.seconds > limits.max_batch_seconds:
            raise SafeStop(
                f"canary: batch {self._batches} ({cost.documents:,} documents, {cost.bytes / _MB:,.1f} MB) took "
                f"{cost.seconds:.1f} s, over the limit of {limits.max_batch_seconds:g} s; lower "
                "batch_sizer.options.target, or look for what slows the server"
            )
        if self._batches == limits.batches and self._seconds > 0:
            rate = self._documents / self._seconds
            if rate < limits.min_documents_per_second:
                raise SafeStop(
                    f"canary: {rate:,.0f} documents a second over the first {self._batches} batches, under the "
                    f"limit of {limits.min_documents_per_second:,.0f}; look at the indexes on masked paths "
                    "(phimask plan), at the server's load, or lower canary.min_documents_per_second"
                )
