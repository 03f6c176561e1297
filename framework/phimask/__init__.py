"""phimask masks protected health information in MongoDB collections.

These are the names a plugin may use; everything below this package is the framework's own.
"""

from phimask.errors import MaskingError, StoreError
from phimask.plugins import events
from phimask.plugins.hookspecs import hookimpl
from phimask.plugins.interfaces import (
    BatchSizer,
    Component,
    Control,
    Detector,
    Executor,
    Masker,
    MemoryGovernor,
    Observer,
    Partitioner,
    Source,
    Validator,
)
from phimask.plugins.values import (
    FAILED,
    REMOVE,
    BatchBudget,
    BatchCost,
    CollectionFacts,
    Column,
    Detection,
    DocumentId,
    DocumentPair,
    Finding,
    MaskedField,
    MemoryReading,
    Partition,
    RuleFacts,
    Totals,
    Wildcard,
)

__version__ = "0.1.0"

__all__ = [
    "FAILED",
    "REMOVE",
    "BatchBudget",
    "BatchCost",
    "BatchSizer",
    "CollectionFacts",
    "Column",
    "Component",
    "Control",
    "Detection",
    "Detector",
    "DocumentId",
    "DocumentPair",
    "Executor",
    "Finding",
    "MaskedField",
    "Masker",
    "MaskingError",
    "MemoryGovernor",
    "MemoryReading",
    "Observer",
    "Partition",
    "Partitioner",
    "RuleFacts",
    "Source",
    "StoreError",
    "Totals",
    "Validator",
    "Wildcard",
    "__version__",
    "events",
    "hookimpl",
]
