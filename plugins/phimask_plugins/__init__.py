"""The built-in plugins, a package a kind, registered through the same hooks as anyone's."""

from __future__ import annotations

from collections.abc import Iterable

from phimask import (
    BatchSizer,
    Detector,
    Executor,
    Masker,
    MemoryGovernor,
    Observer,
    Partitioner,
    Validator,
    hookimpl,
)
from phimask_plugins import (
    batch_sizers,
    detectors,
    executors,
    maskers,
    memory_governors,
    observers,
    partitioners,
    validators,
)


@hookimpl
def phimask_register_partitioners() -> Iterable[type[Partitioner]]:
    """See `phimask_plugins.partitioners`."""
    return partitioners.ALL


@hookimpl
def phimask_register_batch_sizers() -> Iterable[type[BatchSizer]]:
    """See `phimask_plugins.batch_sizers`."""
    return batch_sizers.ALL


@hookimpl
def phimask_register_maskers() -> Iterable[type[Masker]]:
    """See `phimask_plugins.maskers`."""
    return maskers.ALL


@hookimpl
def phimask_register_memory_governors() -> Iterable[type[MemoryGovernor]]:
    """See `phimask_plugins.memory_governors`."""
    return memory_governors.ALL


@hookimpl
def phimask_register_validators() -> Iterable[type[Validator]]:
    """See `phimask_plugins.validators`."""
    return validators.ALL


@hookimpl
def phimask_register_executors() -> Iterable[type[Executor]]:
    """See `phimask_plugins.executors`."""
    return executors.ALL


@hookimpl
def phimask_register_detectors() -> Iterable[type[Detector]]:
    """See `phimask_plugins.detectors`."""
    return (*detectors.ALL, *detectors.optional())


@hookimpl
def phimask_register_observers() -> Iterable[type[Observer]]:
    """See `phimask_plugins.observers`."""
    return observers.ALL
