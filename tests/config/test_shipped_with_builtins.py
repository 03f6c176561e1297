"""What is shipped works with the components that are shipped, not only with a stand-in for them."""

from __future__ import annotations

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from phimask.config.collection import load_collection
from phimask.config.data import FileKind, shipped
from phimask.config.export import combined_schema
from phimask.config.nodes import plain
from phimask.config.profile import load_profile
from phimask.config.yaml_lines import read_yaml
from phimask.errors import ConfigError
from phimask.plugins.loading import load_registry
from phimask.plugins.registry import Registry


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry()


@pytest.mark.parametrize("safe_mode", [False, True])
@pytest.mark.parametrize("name", sorted(shipped("profile")))
def test_every_profile_s_components_can_be_made(name: str, safe_mode: bool, registry: Registry) -> None:
    found = load_profile(name, directory=Path(), safe_mode=safe_mode, environ={}, components=registry)
    chosen = [
        ("partitioner", found.partitioner),
        ("batch_sizer", found.batch_sizer),
        ("memory_governor", found.memory_governor),
        ("executor", found.executor),
        *(("validator", choice) for choice in found.validators),
    ]
    for kind, choice in chosen:
        assert registry.create(kind, choice.name, choice.options).name == choice.name


@pytest.mark.parametrize("name", sorted(shipped("collection")))
def test_every_collection_file_loads(name: str, registry: Registry) -> None:
    found = load_collection(name, directory=Path(), pack=True, environ={}, components=registry)
    assert found.rules
    for rule in found.rules:
        assert rule.masker.name in registry.names("masker")


@pytest.mark.parametrize(
    ("kind", "name"),
    [(kind, name) for kind in ("profile", "collection") for name in sorted(shipped(kind))],  # type: ignore[arg-type]
)
def test_the_editors_schema_accepts_it(kind: FileKind, name: str, registry: Registry) -> None:
    schema = combined_schema(kind, registry)
    Draft202012Validator.check_schema(schema)
    assert list(Draft202012Validator(schema).iter_errors(plain(read_yaml(shipped(kind)[name], name)))) == []


def test_a_built_in_s_option_is_judged_at_its_line(registry: Registry, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "version: 1\nextends: emergency\nbatch_sizer:\n  options:\n    targt: 4s\n", encoding="utf-8"
    )
    with pytest.raises(ConfigError) as caught:
        load_profile(str(file), directory=tmp_path, environ={}, components=registry)
    assert [(fault.line, fault.path, fault.right) for fault in caught.value.faults] == [
        (5, "$.batch_sizer.options.targt", "did you mean 'target'?")
    ]
