"""Trees grown from examples."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phimask.planning.trees import Leaf, Split, as_data, from_data, grown, leaf_of, leaves

_examples = st.lists(
    st.tuples(
        st.tuples(st.integers(0, 50), st.integers(0, 50)), st.sampled_from(["simple", "medium", "complex"])
    ),
    min_size=1,
    max_size=200,
)


@given(_examples)
def test_every_example_finds_a_leaf_that_knows_it(examples: list[tuple[tuple[int, ...], object]]) -> None:
    tree = grown(examples)  # type: ignore[arg-type]
    for features, _ in examples:
        assert leaf_of(tree, features).knows(features)


@given(_examples)
def test_a_tree_comes_back_from_what_is_kept_of_it(
    examples: list[tuple[tuple[int, ...], object]],
) -> None:
    tree = grown(examples)  # type: ignore[arg-type]
    assert from_data(as_data(tree)) == tree
    assert from_data(as_data(None)) is None


def test_a_cut_goes_where_the_classes_part() -> None:
    tree = grown([((number, 7), "simple" if number < 40 else "complex") for number in range(100)])
    assert isinstance(tree, Split)
    assert (tree.feature, tree.at) == (0, 39)
    assert [leaf.kind for leaf in leaves(tree)] == ["simple", "complex"]
    assert leaf_of(tree, (39, 7)).kind == "simple"
    assert leaf_of(tree, (40, 7)).kind == "complex"
    assert not leaf_of(tree, (40, 8)).knows((40, 8))
    assert not leaf_of(tree, (100, 7)).knows((100, 7))


@pytest.mark.parametrize(
    ("right", "wrong", "believed"),
    [(22, 0, False), (23, 0, True), (47, 1, True), (46, 1, False), (500, 25, False)],
)
def test_a_leaf_is_believed_where_enough_examples_were_right(right: int, wrong: int, believed: bool) -> None:
    alike = [((1, 1), "simple")] * right + [((1, 1), "medium")] * wrong
    tree = grown(alike)  # type: ignore[arg-type]
    assert isinstance(tree, Leaf)
    assert tree.kind == "simple"
    assert tree.believed is believed
