from __future__ import annotations

import json
from typing import Any

import pytest
from fake_catalog import FakeCatalog
from jsonschema import Draft202012Validator

from phimask.config.data import FileKind, shipped, shipped_schema
from phimask.config.export import combined_schema
from phimask.config.nodes import plain
from phimask.config.yaml_lines import read_yaml


class WithReferences(FakeCatalog):
    def options_schema(self, kind: str, name: str) -> Any:
        if (kind, name) == ("masker", "keep"):
            return {"properties": {"x": {"$ref": "#/$defs/y"}}, "$defs": {"y": {"type": "integer"}}}
        return super().options_schema(kind, name)


def accepts(kind: FileKind, tree: Any) -> bool:
    return Draft202012Validator(combined_schema(kind, WithReferences())).is_valid(tree)


@pytest.mark.parametrize("kind", ["profile", "collection"])
def test_it_is_a_schema_and_json_and_leaves_the_shipped_one_alone(kind: FileKind) -> None:
    before = json.dumps(shipped_schema(kind))
    Draft202012Validator.check_schema(json.loads(json.dumps(combined_schema(kind, FakeCatalog()))))
    assert json.dumps(shipped_schema(kind)) == before


@pytest.mark.parametrize("name", sorted(shipped("profile")))
def test_it_accepts_the_shipped_profiles(name: str) -> None:
    assert accepts("profile", plain(read_yaml(shipped("profile")[name], name)))


@pytest.mark.parametrize(
    ("masker", "good"),
    [
        ("redact", True),
        ("redct", False),
        ({"name": "hash"}, True),
        ({"name": "hash", "options": {"length": 12}}, True),
        ({"name": "hash", "options": {"length": 2}}, False),
        ({"name": "hash", "options": {"lenght": 12}}, False),
        ("fake", False),
        ({"name": "fake"}, False),
        ({"name": "fake", "options": {"kind": "city"}}, True),
        ({"name": "fake", "options": {"kind": "city", "cache": "8MB"}}, True),
        ({"name": "fake", "options": {"kind": "city", "cache": [8]}}, False),
        ({"name": "keep", "options": {"x": 1}}, True),
        ({"name": "keep", "options": {"x": "a"}}, False),
    ],
)
def test_it_knows_every_component_s_options(masker: Any, good: bool) -> None:
    assert accepts("collection", {"version": 1, "rules": [{"path": "A", "masker": masker}]}) is good
