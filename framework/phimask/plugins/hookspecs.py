"""The hooks. Each is called once, when the registry is built, and answers with classes, never instances.

A plugin is a module or package that implements any of them with `phimask.hookimpl`. It is found as an
entry point of group `phimask`, or named under `plugins:` in phimask.yaml.
"""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from phimask.plugins.interfaces import (
    BatchSizer,
    Detector,
    Executor,
    Masker,
    MemoryGovernor,
    Observer,
    Partitioner,
    Validator,
)

PROJECT = "phimask"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def phimask_register_partitioners() -> Iterable[type[Partitioner]]:  # type: ignore[empty-body]
    """Partitioners: how a collection is cut into `_id` ranges. A profile chooses one."""


@hookspec
def phimask_register_batch_sizers() -> Iterable[type[BatchSizer]]:  # type: ignore[empty-body]
    """Batch sizers: how much the next batch may hold. A profile chooses one."""


@hookspec
def phimask_register_maskers() -> Iterable[type[Masker]]:  # type: ignore[empty-body]
    """Maskers: a column of values to a column of masked values. Each rule chooses one."""


@hookspec
def phimask_register_memory_governors() -> Iterable[type[MemoryGovernor]]:  # type: ignore[empty-body]
    """Memory governors: how much memory there is. A profile chooses one."""


@hookspec
def phimask_register_validators() -> Iterable[type[Validator]]:  # type: ignore[empty-body]
    """Validators: what must not be in a masked collection. A profile chooses any number."""


@hookspec
def phimask_register_executors() -> Iterable[type[Executor]]:  # type: ignore[empty-body]
    """Executors: where partitions run. A profile chooses one."""


@hookspec
def phimask_register_detectors() -> Iterable[type[Detector]]:  # type: ignore[empty-body]
    """Detectors: PHI in text. All that are registered are asked."""


@hookspec
def phimask_register_observers() -> Iterable[type[Observer]]:  # type: ignore[empty-body]
    """Observers: who is told what happens. A profile chooses any number."""
