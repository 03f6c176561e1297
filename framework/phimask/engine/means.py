"""What the work on partitions is done with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from phimask.config.model import Memory, Retry
from phimask.engine.breaker import CircuitBreaker
from phimask.engine.canary import CanaryWatch
from phimask.engine.commit import Committer
from phimask.engine.resident import ResidentMemory
from phimask.plugins.events import Event
from phimask.plugins.given import Control
from phimask.plugins.interfaces import BatchSizer, MemoryGovernor
from phimask.plugins.values import ComplexityClass


@dataclass(slots=True)
class Means:
    """Of one worker, for all of its partitions of one collection."""

    worker: str
    namespace: str
    source: Any
    projection: Mapping[str, Any] | None
    query: Mapping[str, Any] | None
    committer: Committer
    sizer: BatchSizer
    governor: MemoryGovernor
    breaker: CircuitBreaker
    canary: CanaryWatch | None
    retry: Retry
    control: Control
    emit: Callable[[Event], None]
    remaining: int | None
    memory: Memory
    classify: Callable[[bytes], ComplexityClass] | None = None
    resident: ResidentMemory = field(default_factory=ResidentMemory)
