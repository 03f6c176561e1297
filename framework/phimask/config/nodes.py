"""Configuration values that know where they were written.

A file becomes a tree of nodes; merging, substitution and conversion make new trees of the same nodes, so that
an error in an inherited value still names the parent's file and line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phimask.config.model import Origin

Scalar = str | int | float | bool | None

# RFC 9535, section 2.5.1.1: what may follow a dot without brackets and quotes
_SHORTHAND = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True, slots=True)
class Node:
    """A value and its place. `written` is a scalar's text as it stands in the file, before substitution.

    `bare` is true of a scalar without quotes, whose type follows from its text. `broken` is true where a fault
    has been reported already, so that one mistake makes one message.
    """

    value: dict[str, Node] | list[Node] | Scalar
    origin: Origin
    written: str = ""
    bare: bool = False
    broken: bool = False

    def __repr__(self) -> str:  # the value may be a secret
        return f"Node({self.origin.file}:{self.origin.line}: {self.origin.path})"


def below(path: str, step: str | int) -> str:
    """The JSONPath (RFC 9535) of a key or an index under `path`."""
    if isinstance(step, int):
        return f"{path}[{step}]"
    if _SHORTHAND.fullmatch(step):
        return f"{path}.{step}"
    escaped = step.replace("\\", "\\\\").replace("'", "\\'")
    return f"{path}['{escaped}']"


def mapping(node: Node) -> dict[str, Node]:
    """The node's keys, or none where it is no mapping."""
    return node.value if isinstance(node.value, dict) else {}


def sequence(node: Node) -> list[Node]:
    """The node's elements, or none where it is no list."""
    return node.value if isinstance(node.value, list) else []


def text_of(node: Node | None) -> str | None:
    """The node's text, or None where it is none."""
    return node.value if node is not None and isinstance(node.value, str) else None


def plain(node: Node) -> Any:
    """The tree as dicts, lists and scalars."""
    if isinstance(node.value, dict):
        return {key: plain(child) for key, child in node.value.items()}
    if isinstance(node.value, list):
        return [plain(child) for child in node.value]
    return node.value


def planted(value: Any, origin: Origin) -> Node:
    """A plain value as nodes that all stand at one place: what a default or a flag brings."""
    if isinstance(value, Mapping):
        return Node({key: planted(child, origin) for key, child in value.items()}, origin)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return Node([planted(child, origin) for child in value], origin)
    return Node(value, origin, written="" if value is None else str(value))


def at(node: Node, path: Iterable[str | int]) -> Node:
    """The node at `path`, or the last one on the way that exists."""
    for step in path:
        children = dict(enumerate(node.value)) if isinstance(node.value, list) else mapping(node)
        if step not in children:
            break
        node = children[step]  # type: ignore[index]
    return node
