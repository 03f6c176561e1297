"""Examples masked as a run masks: a collection file is read, its rules are bound, documents go through the core."""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias
from unittest import mock

import bson
from bson import json_util

from generator.examples import PROGRAM, Example
from phimask.config.collection import load_collection
from phimask.masking.bson_types import LOSSLESS
from phimask.masking.keys import MaskingKey
from phimask.masking.outcomes import Masked as MaskedDocument
from phimask.planning.binding import bind, core
from phimask.plugins.registry import Registry
from phimask_plugins.maskers import tokenize
from phimask_plugins.maskers.token_vault import Entry

Masked: TypeAlias = list[tuple[str, str]]
"""Documents before and after, as MongoDB Extended JSON."""

_KEY: Final = MaskingKey(bytes(range(32)))
_JSON: Final = json_util.JSONOptions(
    json_mode=json_util.JSONMode.RELAXED,
    datetime_representation=json_util.DatetimeRepresentation.ISO8601,
)
_ENVIRON: Final = {"VAULT_URI": "mongodb://127.0.0.1/"}


def masked(registry: Registry, examples: Mapping[str, Example]) -> dict[str, Masked]:
    """The results of all examples, by name."""
    vault = _Vault()
    done: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]] = {}
    chance = random.Random(0)  # noqa: S311  (tokens that are the same each time the page is written)
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(tokenize, "token_bytes", chance.randbytes),
    ):
        (Path(folder) / PROGRAM[0]).write_text(PROGRAM[1], encoding="utf-8")
        for name in sorted(examples, key=lambda name: examples[name].after is not None):
            example = examples[name]
            documents = example.documents or [after for _, after in done[example.after or ""]]
            results = _run(registry, example.rules, documents, Path(folder), vault)
            done[name] = list(zip(documents, results, strict=True))
    return {name: [(_shown(before), _shown(after)) for before, after in done[name]] for name in examples}


def _run(
    registry: Registry, rules: str, documents: Sequence[Mapping[str, Any]], folder: Path, vault: _Vault
) -> list[dict[str, Any]]:
    here = rules.replace("[python3, ", f"['{Path(sys.executable).as_posix()}', ").replace(
        PROGRAM[0], f"'{(folder / PROGRAM[0]).as_posix()}'"
    )
    (folder / "collections").mkdir(exist_ok=True)
    (folder / "collections" / "example.yaml").write_text(
        f"version: 1\ncollection: example\n{here}", encoding="utf-8"
    )
    file = load_collection("example", directory=folder, environ=_ENVIRON, components=registry)
    bound = bind(file, registry, [_KEY])
    for rule in bound:
        if hasattr(rule.masker, "_vault"):
            rule.masker._vault = vault
    raw = [bson.encode({"_id": number, **document}) for number, document in enumerate(documents)]
    outcomes = core(file, bound).mask(raw, "whole").outcomes
    results = []
    for before, outcome in zip(raw, outcomes, strict=True):
        after = bson.decode(outcome.bson if isinstance(outcome, MaskedDocument) else before, LOSSLESS)
        del after["_id"]
        results.append(after)
    for rule in bound:
        close = getattr(getattr(rule.masker, "_process", None), "close", None)
        if close is not None:
            close()
    return results


def _shown(document: Mapping[str, Any]) -> str:
    return json_util.dumps(document, json_options=_JSON, ensure_ascii=False)


class _Vault:
    """A token vault in memory."""

    def __init__(self) -> None:
        self._entries: dict[bytes, Entry] = {}

    def tokens(self, digests: Iterable[bytes]) -> dict[bytes, str]:
        return {one: self._entries[one].token for one in digests if one in self._entries}

    def values(self, finders: Iterable[bytes]) -> dict[bytes, bytes]:
        wanted = set(finders)
        return {one.finder: one.sealed for one in self._entries.values() if one.finder in wanted}

    def add(self, entries: Iterable[Entry], mark: bytes) -> None:  # noqa: ARG002  (nobody asks for the marks)
        self._entries.update({one.digest: one for one in entries})
