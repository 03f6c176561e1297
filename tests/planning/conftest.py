"""Collection files and profiles as they are written, and rules bound from them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from phimask.config.collection import load_collection
from phimask.config.model import CollectionFile
from phimask.masking.keys import MaskingKey
from phimask.plugins.loading import load_registry
from phimask.plugins.registry import Registry


@pytest.fixture(scope="session")
def registry() -> Registry:
    """The built-in components."""
    return load_registry()


@pytest.fixture(scope="session")
def key() -> MaskingKey:
    return MaskingKey.generate()


@pytest.fixture
def written(
    tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., CollectionFile]:
    """The collection file that these rules make, one a line from line 5 on; messages call it `people.yaml`."""
    monkeypatch.chdir(tmp_path)

    def write(*rules: str, subject: str = "PatientId") -> CollectionFile:
        lines = "".join(f"  - {rule}\n" for rule in rules)
        Path("people.yaml").write_text(
            f"version: 1\ncollection: people\nsubject: {subject}\nrules:\n{lines}", encoding="utf-8"
        )
        return load_collection("people.yaml", directory=tmp_path, environ={}, components=registry)

    return write
