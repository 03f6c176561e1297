"""The profile's `memory`: pools in bytes, and what contradicts them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from phimask.config.data import first_own
from phimask.config.model import Collector, ComponentChoice, Memory, Origin
from phimask.config.nodes import Node, at, mapping, plain
from phimask.config.wording import fault_at
from phimask.errors import Fault

_POOLS: Final = ("documents", "results", "cache")
_LEAST: Final = 16 * 1024 * 1024
"""What the schema asks for: a pool of less is refused already."""
_CEILINGS: Final = ("hard", "ceiling")
"""What memory governors call the most that a process is to come to."""


def memory_settings(values: Mapping[str, Any]) -> Memory:
    """From what the schema has checked."""
    collector = values["collector"]
    thresholds = collector["thresholds"]
    return Memory(
        documents=values["documents"],
        results=values["results"],
        cache=values["cache"],
        read_ahead=values["read_ahead"],
        oversize=values["oversize"],
        collector=Collector(
            freeze=collector["freeze"],
            thresholds=None if thresholds is None else tuple(thresholds),
            after_batch=collector["after_batch"],
        ),
    )


def refuse_excess(
    tree: Node, sizer: ComponentChoice | None, governor: ComponentChoice | None, faults: list[Fault]
) -> None:
    """A batch that is larger than a pool; pools, or what batches may come to, above the governor's ceiling."""
    memory = at(tree, ("memory",))
    pools = {name: _size(mapping(memory).get(name)) for name in _POOLS}
    most = _option(sizer, "bytes")
    for name in ("documents", "results"):
        pool = pools[name]
        if most is not None and pool is not None and _LEAST <= pool < most:
            faults.append(
                fault_at(
                    first_own([_place(tree, "batch_sizer", "bytes"), at(memory, (name,)).origin]),
                    f"a batch ({_written(most)}) is larger than memory.{name} ({_written(pool)})",
                    "make it that or less, or the pool larger",
                )
            )
    called = next((name for name in _CEILINGS if _option(governor, name) is not None), "")
    ceiling = _option(governor, called)
    if ceiling is None:
        return
    of_ceiling = _place(tree, "memory_governor", called)
    together = sum(pool for pool in pools.values() if pool is not None)
    if together > ceiling:
        faults.append(
            fault_at(
                first_own([memory.origin, *(at(memory, (name,)).origin for name in _POOLS), of_ceiling]),
                f"the pools together ({_written(together)}) are above the memory governor's ceiling "
                f"({_written(ceiling)})",
                "make them smaller, or the ceiling larger: masking needs memory besides",
            )
        )
    batches = _option(sizer, "memory")
    if batches is not None and batches > ceiling:
        faults.append(
            fault_at(
                first_own([_place(tree, "batch_sizer", "memory"), of_ceiling]),
                f"batches may come to more ({_written(batches)}) than the memory governor's ceiling "
                f"({_written(ceiling)})",
                "make it less than that, or the ceiling larger",
            )
        )


def _option(choice: ComponentChoice | None, name: str) -> int | None:
    found = None if choice is None else choice.options.get(name)
    return found if type(found) is int else None


def _size(node: Node | None) -> int | None:
    found = None if node is None or node.broken else plain(node)
    return found if type(found) is int else None


def _place(tree: Node, component: str, option: str) -> Origin:
    return at(tree, (component, "options", option)).origin


def _written(size: int) -> str:
    return f"{size / 1e6:,.10g} MB"
