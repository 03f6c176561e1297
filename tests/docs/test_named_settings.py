"""Settings that the text tells people to give: each is a key of profiles, or an option of a component that is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from phimask.config.data import shipped_schema
from phimask.config.schema_walk import properties_at
from phimask.plugins.class_check import KINDS
from phimask.plugins.loading import load_registry
from phimask.plugins.registry import Registry

ROOT = Path(__file__).resolve().parents[2]
NAMED = re.compile(r"--set[ =]([a-z_]+(?:\.[a-z_]+)*)=|`([a-z_]+\.options\.[a-z_]+)`")


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry()


def is_there(setting: str, registry: Registry) -> bool:
    first, *steps = setting.split(".")
    if first in KINDS and steps[:1] == ["options"]:
        options = (
            registry.options_schema(first, name).get("properties", {}) for name in registry.names(first)
        )
        return any(steps[1] in one for one in options)
    *above, last = first, *steps
    return last in properties_at(shipped_schema("profile"), above)


def test_every_setting_in_the_text_is_one(registry: Registry) -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    named = {
        (setting, page.name)
        for page in pages
        for found in NAMED.findall(page.read_text(encoding="utf-8"))
        for setting in found
        if setting
    }
    assert len(named) > 30
    assert [one for one in sorted(named) if not is_there(one[0], registry)] == []


@pytest.mark.parametrize(
    "setting", ["breaker.cooldown", "executor.options.worker", "guard", "memory.pool.size"]
)
def test_one_that_is_not_there_is_noticed(setting: str, registry: Registry) -> None:
    assert not is_there(setting, registry)
