"""The profile's `memory`: pools in bytes, and what contradicts them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from phimask.config.model import Collector, ComponentChoice, Memory
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
                    _place(tree, "batch_sizer", "bytes"),
                    f"a batch ({_written(most)}) is larger than memory.{name} ({_written(pool)})",
                    "make it that or less, or the pool larger",
                )
            )
    ceiling = next((found for name in _CEILINGS if (found := _option(governor, name)) is not None), None)
    if ceiling is None:
        return
    together = sum(pool for pool in pools.values() if pool is not None)
    if together > ceiling:
        faults.append(
            fault_at(
                memory.origin,
                f"the pools together ({_written(together)}) are above the memory governor's ceiling "
                f"({_written(ceiling)})",
                "make them smaller: masking needs memory besides",
            )
        )
    batches = _option(sizer, "memory")
    if batches is not None and batches > ceiling:
        faults.append(
            fault_at(
                _place(tree, "batch_sizer", "memory"),
                f"batches may come to more ({_written(batches)}) than the memory governor's ceiling "
                f"({_written(ceiling)})",
                "make it less than that",
            )
        )


def _option(choice: ComponentChoice | None, name: str) -> int | None:
    found = None if choice is None else choice.options.get(name)
    return found if type(found) is int else None


def _size(node: Node | None) -> int | None:
    found = None if node is None or node.broken else plain(node)
    return found if type(found) is int else None


def _place(tree: Node, component: str, option: str) -> Any:
    return at(tree, (component, "options", option)).origin


def _written(size: int) -> str:
    return f"{size / 1e6:,.10g} MB"
