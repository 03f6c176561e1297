"""How one file goes over another: `extends`, overlays and `--set`.

Mappings merge, lists and scalars replace. A component choice is one thing: the same component again keeps the options
that are not given anew, another component starts from its own defaults.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from typing import Final

from phimask.config.model import Origin
from phimask.config.nodes import Node, below, mapping, text_of

COMPONENT_KEYS: Final = ("partitioner", "batch_sizer", "memory_governor", "executor")
"""The keys of a profile that hold one component; `validators` and `observers` hold lists."""


def merge(base: Node, over: Node) -> Node:
    """`over` over `base`. Every value keeps the place where it was written.

    A merged mapping stands where `over` stands, unless that is a flag: keys that are missing are missing in a file.
    """
    if not isinstance(base.value, dict) or not isinstance(over.value, dict):
        return over
    merged = dict(base.value)
    for key, child in over.value.items():
        merged[key] = merge(merged[key], child) if key in merged else child
    return Node(merged, base.origin if over.origin.line is None else over.origin)


def merge_profiles(base: Node, over: Node) -> Node:
    """As `merge`, with the component slots at the root treated as choices."""
    old, new = mapping(base), mapping(over)
    choices: dict[str, Node] = {
        key: merge_choice(old[key], new[key]) for key in COMPONENT_KEYS if key in old and key in new
    }
    merged = merge(base, over)
    return replace(merged, value={**mapping(merged), **choices})


def merge_choice(base: Node, over: Node) -> Node:
    """One component choice over another: a bare name or {name, options} each."""
    base, over = as_choice(base), as_choice(over)
    renamed = "name" in mapping(over) and text_of(mapping(over)["name"]) != text_of(mapping(base).get("name"))
    return over if renamed else merge(base, over)


def as_choice(node: Node) -> Node:
    """A bare name as {name: ...}; anything else as it is."""
    return replace(node, value={"name": node}) if isinstance(node.value, str) else node


def nested(keys: Sequence[str], value: Node) -> Node:
    """`a.b: value` as {a: {b: value}}, every mapping on the way at the value's source."""
    node = value
    for depth in range(len(keys) - 1, -1, -1):
        path = reduce(below, keys[:depth], "$")
        node = Node({keys[depth]: node}, Origin(value.origin.file, value.origin.line, path))
    return node
