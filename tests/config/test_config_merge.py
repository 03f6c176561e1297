from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phimask.config.merge import merge, merge_profiles
from phimask.config.model import Origin
from phimask.config.nodes import at, plain, planted
from phimask.config.yaml_lines import parse_yaml


def merged(base: str, over: str) -> Any:
    return plain(merge_profiles(parse_yaml(base, "base"), parse_yaml(over, "over")))


def test_mappings_merge_and_the_rest_replaces() -> None:
    found = merged("a: {b: 1, c: [1, 2]}\nd: x\n", "a: {c: [3], e: 4}\n")
    assert found == {"a": {"b": 1, "c": [3], "e": 4}, "d": "x"}


@pytest.mark.parametrize(
    ("base", "over", "choice"),
    [
        (
            "{name: a, options: {x: 1, y: 2}}",
            "{name: a, options: {y: 3}}",
            {"name": "a", "options": {"x": 1, "y": 3}},
        ),
        ("{name: a, options: {x: 1}}", "{options: {y: 3}}", {"name": "a", "options": {"x": 1, "y": 3}}),
        ("{name: a, options: {x: 1}}", "a", {"name": "a", "options": {"x": 1}}),
        ("a", "{name: a, options: {x: 1}}", {"name": "a", "options": {"x": 1}}),
        ("{name: a, options: {x: 1}}", "b", {"name": "b"}),
        ("{name: a, options: {x: 1}}", "{name: b, options: {z: 1}}", {"name": "b", "options": {"z": 1}}),
        ("a", "b", {"name": "b"}),
    ],
)
def test_a_component_is_one_thing(base: str, over: str, choice: Any) -> None:
    assert merged(f"batch_sizer: {base}", f"batch_sizer: {over}") == {"batch_sizer": choice}


def test_lists_of_components_replace() -> None:
    assert merged("validators: [{name: a, options: {x: 1}}, b]", "validators: [a]") == {"validators": ["a"]}


def test_every_value_keeps_its_place() -> None:
    base = parse_yaml("a:\n  b: 1\n  c: 2\n", "base")
    tree = merge(base, parse_yaml("x: 0\na: {c: 3}\n", "over"))
    assert at(tree, ("a", "b")).origin == Origin("base", 2, "$.a.b")
    assert at(tree, ("a", "c")).origin == Origin("over", 2, "$.a.c")
    assert at(tree, ("a",)).origin == Origin("over", 2, "$.a")


def test_a_flag_leaves_a_mapping_where_it_was_written() -> None:
    tree = merge(parse_yaml("a:\n  b: 1\n", "base"), planted({"a": {"c": 2}}, Origin("--set", None, "$")))
    assert at(tree, ("a",)).origin == Origin("base", 1, "$.a")
    assert at(tree, ("a", "c")).origin.file == "--set"


values = st.recursive(
    st.integers(0, 3),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=8,
)
trees = st.dictionaries(st.sampled_from("abc"), values, max_size=3)


def leaves(tree: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, child in tree.items():
        if isinstance(child, dict):
            yield from leaves(child, (*path, key))
        else:
            yield (*path, key), child


@given(trees, trees)
def test_all_that_is_said_over_holds_and_nothing_else_changes(base: Any, over: Any) -> None:
    lower, upper = planted(base, Origin("base", 1, "$")), planted(over, Origin("over", 1, "$"))
    found = merge(lower, upper)
    for path, value in leaves(over):
        assert plain(at(found, path)) == value
        assert at(found, path).origin.file == "over"
    for path, value in leaves(plain(found)):
        if at(found, path).origin.file == "base":
            assert plain(at(lower, path)) == value
    assert plain(merge(found, upper)) == plain(found)
    assert plain(merge(lower, lower)) == base
