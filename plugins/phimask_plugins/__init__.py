"""The built-in plugins, a package a kind, registered through the same hooks as anyone's."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Any

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


def _all(kind: str) -> tuple[Any, ...]:
    """Imported when it is asked for: a worker needs no observers, and detectors seldom."""
    found: tuple[Any, ...] = import_module(f"{__name__}.{kind}").ALL
    return found


@hookimpl
def phimask_register_partitioners() -> Iterable[type[Partitioner]]:
    """See `phimask_plugins.partitioners`."""
    return _all("partitioners")


@hookimpl
def phimask_register_batch_sizers() -> Iterable[type[BatchSizer]]:
    """See `phimask_plugins.batch_sizers`."""
    return _all("batch_sizers")


@hookimpl
def phimask_register_maskers() -> Iterable[type[Masker]]:
    """See `phimask_plugins.maskers`."""
    return _all("maskers")


@hookimpl
def phimask_register_memory_governors() -> Iterable[type[MemoryGovernor]]:
    """See `phimask_plugins.memory_governors`."""
    return _all("memory_governors")


@hookimpl
def phimask_register_validators() -> Iterable[type[Validator]]:
    """See `phimask_plugins.validators`."""
    return _all("validators")


@hookimpl
def phimask_register_executors() -> Iterable[type[Executor]]:
    """See `phimask_plugins.executors`."""
    return _all("executors")


@hookimpl
def phimask_register_detectors() -> Iterable[type[Detector]]:
    """See `phimask_plugins.detectors.registered`."""
    from phimask_plugins.detectors.registered import optional  # noqa: PLC0415  (as in _all)

    return (*_all("detectors.registered"), *optional())


@hookimpl
def phimask_register_observers() -> Iterable[type[Observer]]:
    """See `phimask_plugins.observers`."""
    return _all("observers")
