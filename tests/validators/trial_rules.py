"""Rules for tests, each in two spellings: what validators are told of it, and what the oracle does for it."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from oracle import Mask, OracleRule, Segments, for_types, keep, nullify, on_text, remove
from phimask import RuleFacts
from phimask.plugins.values import Changes


class TrialMasker(NamedTuple):
    """A masker's declaration and its deeds."""

    mask: Mask
    facts: RuleFacts


def _masker(
    name: str,
    mask: Mask,
    *,
    changes: Changes = "always",
    types: Sequence[str] = ("string",),
    produces: Sequence[str] | None = None,
    containers: bool = False,
    removes: bool = False,
) -> TrialMasker:
    made = None if produces is None else frozenset(produces)
    facts = RuleFacts("", (), name, changes, frozenset(types), made, containers, removes)
    return TrialMasker(mask, facts)


def _as_text(bson_type: int, value: bytes) -> tuple[int, bytes]:
    text = b"#" + value.hex().encode()
    return 0x02, struct.pack("<i", len(text) + 1) + text + b"\0"


def _as_stub(bson_type: int, value: bytes) -> tuple[int, bytes]:
    return 0x03, bytes.fromhex("0c000000" + "086d61736b" + "00" + "01" + "00")


KEEP = _masker("keep", keep, changes="never", containers=True)
TILDE = _masker("tilde", on_text(lambda text: text and b"~" + text))
INITIAL = _masker("initial", on_text(lambda text: text[:1]), changes="maybe")
TEXT = _masker(
    "text", for_types([0x02, 0x10, 0x12], _as_text), types=("string", "int", "long"), produces=("string",)
)
NULLIFY = _masker("nullify", nullify, containers=True, produces=("null",))
REMOVE = _masker("remove", remove, containers=True, removes=True)
STUB = _masker("stub", for_types([0x03], _as_stub), types=("object",), containers=True)

ALL_MASKERS = (KEEP, TILDE, INITIAL, TEXT, NULLIFY, REMOVE, STUB)

Trial = tuple[Segments, TrialMasker]


def told(rules: Sequence[Trial]) -> tuple[RuleFacts, ...]:
    """The rules as validators know them."""
    return tuple(
        replace(
            masker.facts,
            path=".".join(part if isinstance(part, str) else part.value for part in path),
            segments=tuple(path),
        )
        for path, masker in rules
    )


def done(rules: Sequence[Trial]) -> list[OracleRule]:
    """The rules as the oracle carries them out."""
    return [
        OracleRule(path, masker.mask, masker.facts.containers, masker.facts.removes) for path, masker in rules
    ]
