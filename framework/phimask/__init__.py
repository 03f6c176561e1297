"""phimask masks protected health information in MongoDB collections.

These are the names a plugin may use; everything below this package is the framework's own.
"""

from phimask.engine.control import StopSignal
from phimask.errors import (
    Interrupted,
    KeyMaterialError,
    MaskingError,
    PhimaskError,
    SafeStop,
    StoreError,
)
from phimask.log import describe_error, forward_log, log_file
from phimask.plugins import events
from phimask.plugins.given import Control, Job, Source
from phimask.plugins.hookspecs import hookimpl
from phimask.plugins.interfaces import (
    BatchSizer,
    Component,
    Detector,
    Executor,
    Masker,
    MemoryGovernor,
    Meter,
    Observer,
    Partitioner,
    Validator,
)
from phimask.plugins.values import (
    FAILED,
    REMOVE,
    BatchBudget,
    BatchCost,
    CollectionFacts,
    Column,
    ComplexityClass,
    Detection,
    DocumentId,
    DocumentPair,
    Expected,
    Finding,
    Lane,
    MaskedField,
    MemoryReading,
    OriginalValues,
    Partition,
    Relief,
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
    "ComplexityClass",
    "Component",
    "Control",
    "Detection",
    "Detector",
    "DocumentId",
    "DocumentPair",
    "Executor",
    "Expected",
    "Finding",
    "Interrupted",
    "Job",
    "KeyMaterialError",
    "Lane",
    "MaskedField",
    "Masker",
    "MaskingError",
    "MemoryGovernor",
    "MemoryReading",
    "Meter",
    "Observer",
    "OriginalValues",
    "Partition",
    "Partitioner",
    "PhimaskError",
    "Relief",
    "RuleFacts",
    "SafeStop",
    "Source",
    "StopSignal",
    "StoreError",
    "Totals",
    "Validator",
    "Wildcard",
    "__version__",
    "describe_error",
    "events",
    "forward_log",
    "hookimpl",
    "log_file",
]
