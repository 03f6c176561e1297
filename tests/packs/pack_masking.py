"""A rule pack by itself over documents in memory: what it makes of them, and which line said so."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import bson

from phimask.config.collection import load_collection
from phimask.config.model import CollectionFile, Rule
from phimask.masking.core import MaskingCore
from phimask.masking.keys import MaskingKey
from phimask.masking.outcomes import Masked
from phimask.planning.binding import bind, core
from phimask.plugins.loading import load_registry

KEY = MaskingKey(bytes(range(32)))
"""The same each time: of random ones, one in a hundred puts a short id into a digest by chance."""


class Leaf(NamedTuple):
    """A value and its path, array indices included."""

    place: str
    value: Any

    @property
    def path(self) -> str:
        """Without indices."""
        return ".".join(key for key in self.place.split(".") if not key.isdecimal())


def leaves(value: Any, place: str = "") -> Iterator[Leaf]:
    """Every value that holds no other, in order."""
    if isinstance(value, Mapping):
        for key, child in value.items():
            yield from leaves(child, f"{place}.{key}" if place else key)
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from leaves(child, f"{place}.{index}")
    else:
        yield Leaf(place, value)


@cache
def pack(name: str) -> CollectionFile:
    """The shipped pack."""
    return load_collection(name, directory=Path(), pack=True, environ={}, components=load_registry())


@cache
def _core(name: str) -> MaskingCore:
    file = pack(name)
    return core(file, bind(file, load_registry(), [KEY]))


def masked(name: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """The document, masked by the pack."""
    raw = bson.encode({"_id": 0, **document})
    (outcome,) = _core(name).mask([raw], "whole").outcomes
    result = bson.decode(outcome.bson if isinstance(outcome, Masked) else raw)
    del result["_id"]
    return result


def said_above(rule: Rule) -> str:
    """The comments of the section that the rule stands in, down to the rule."""
    assert rule.origin.line is not None
    lines = Path(rule.origin.file).read_text(encoding="utf-8").splitlines()[: rule.origin.line]
    section: list[str] = []
    for line in reversed(lines):
        if not line.strip():
            break
        if line.lstrip().startswith("#"):
            section.insert(0, line.strip(" #"))
    return " ".join(section)


def letters(name: str) -> set[str]:
    """The identifiers of 45 CFR 164.514(b)(2)(i) that some rule of the pack cites."""
    return {letter for rule in pack(name).rules for letter in re.findall(r"\(([A-R])\)", said_above(rule))}
