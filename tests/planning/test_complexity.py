from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phimask.planning.complexity import CLASSES, Shape, shape
from phimask.store.sample.documents import sample_document


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({}, Shape(0, 1, 0)),
        ({"a": 1, "b": None}, Shape(2, 1, 0)),
        ({"a": {"b": {"c": 1}}}, Shape(3, 3, 0)),
        ({"a": [1, 2, 3]}, Shape(1, 1, 3)),
        ({"a": [{"b": 1}, {"b": 2}]}, Shape(3, 2, 2)),
        ({"a": [[1], [2, 3]]}, Shape(1, 1, 5)),
        ({"a": {}, "b": []}, Shape(2, 2, 0)),
    ],
)
def test_shapes(document: dict[str, Any], expected: Shape) -> None:
    assert shape(document) == expected


@pytest.mark.parametrize(
    ("shape_", "expected"),
    [
        (Shape(49, 2, 99), "simple"),
        (Shape(50, 1, 0), "medium"),
        (Shape(1, 3, 0), "medium"),
        (Shape(1, 1, 100), "medium"),
        (Shape(200, 5, 500), "medium"),
        (Shape(201, 1, 0), "complex"),
        (Shape(1, 6, 0), "complex"),
        (Shape(1, 1, 501), "complex"),
    ],
)
def test_classes_at_their_bounds(shape_: Shape, expected: str) -> None:
    assert shape_.complexity() == expected


@pytest.mark.parametrize("wanted", CLASSES)
def test_sample_documents_are_of_the_class_they_were_made_as(wanted: str) -> None:
    for number in range(60):
        document = sample_document(number, 7, {wanted: 1.0})
        assert shape(document).complexity() == wanted, number


_values = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(max_size=3), _values, max_size=5), _values)
def test_more_in_a_document_never_makes_it_simpler(document: dict[str, Any], more: Any) -> None:
    before, after = shape(document), shape({**document, "another key": more})
    assert after.fields > before.fields
    assert after.depth >= before.depth
    assert after.elements >= before.elements
    assert CLASSES.index(after.complexity()) >= CLASSES.index(before.complexity())
