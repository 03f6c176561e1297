from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import bson
import pytest
from bson.code import Code
from bson.decimal128 import Decimal128
from bson.objectid import ObjectId
from bson.regex import Regex
from hypothesis import given
from hypothesis import strategies as st

from limits import LIMITS
from phimask import compiled
from phimask.config.model import ClassLimits, Limits
from phimask.planning.complexity import CLASSES, Shape, shape
from phimask.rawbson import MalformedBsonError
from phimask.store.sample.documents import sample_document


@pytest.fixture(params=["compiled", "python"], scope="module", autouse=True)
def walk(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test runs twice: with the compiled walk, where there is one, and without."""
    if request.param == "compiled" and not compiled.AVAILABLE:
        pytest.skip("phimask was installed without its compiled walks")
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "python":
            patch.setattr(compiled, "shape", None)
        yield


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
    assert shape(bson.encode(document)) == expected


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
    assert shape_.complexity(LIMITS) == expected


@pytest.mark.parametrize("wanted", CLASSES)
def test_sample_documents_are_of_the_class_they_were_made_as(wanted: str) -> None:
    for number in range(60):
        document = sample_document(number, 7, {wanted: 1.0})
        assert shape(bson.encode(document)).complexity(LIMITS) == wanted, number


_keys = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=3)
_scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.text(st.characters(codec="utf-8"), max_size=9)
    | st.binary(max_size=9)
    | st.builds(ObjectId)
    | st.builds(lambda: Regex("a.b", "i"))
    | st.builds(lambda: Code("f()"))
    | st.builds(lambda: Decimal128("1.5"))
)
_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_keys, inner, max_size=4),
    max_leaves=20,
)
_series = st.builds(lambda value, count: [value] * count, _scalars, st.integers(0, 1200))


def counted(value: Any, depth: int = 1) -> Shape:
    """The definition, over what PyMongo decodes."""
    found = Shape()
    children: list[tuple[Any, int]] = []
    if isinstance(value, dict):
        found = Shape(len(value), depth, 0)
        children = [(child, depth + isinstance(child, dict)) for child in value.values()]
    elif isinstance(value, list):
        found = Shape(0, 0, len(value))
        children = [(child, depth + isinstance(child, dict)) for child in value]
    for child, level in children:
        below = counted(child, level)
        found = Shape(
            found.fields + below.fields,
            max(found.depth, below.depth),
            found.elements + below.elements,
        )
    return found


@given(st.dictionaries(_keys, _values | _series, max_size=5))
def test_a_walk_over_the_bytes_counts_what_decoding_would_show(document: dict[str, Any]) -> None:
    assert shape(bson.encode(document)) == counted(document)


@pytest.mark.parametrize("last", [1.5, "eight by", {}, {"a": None}, None, [1]])
@pytest.mark.parametrize("place", [0, 5, 9, 10, 99, 100, 450, 999, 1000, 1199])
def test_one_other_value_in_a_long_series_is_seen(place: int, last: Any) -> None:
    series: list[Any] = [2.5] * 1200
    series[place] = last
    document = {"a": series, "b": {"c": 1}}
    assert shape(bson.encode(document)) == counted(document)


@given(st.dictionaries(_keys, _values, max_size=5), _values)
def test_more_in_a_document_never_makes_it_simpler(document: dict[str, Any], more: Any) -> None:
    before = shape(bson.encode(document))
    after = shape(bson.encode({**document, "another key": more}))
    assert after.fields > before.fields
    assert after.depth >= before.depth
    assert after.elements >= before.elements
    assert CLASSES.index(after.complexity(LIMITS)) >= CLASSES.index(before.complexity(LIMITS))


@given(st.dictionaries(_keys, _values | _series, max_size=30))
def test_counting_may_end_where_it_is_past_the_limits(document: dict[str, Any]) -> None:
    few = Limits(ClassLimits(3, 2, 4), ClassLimits(6, 3, 40))
    raw = bson.encode(document)
    assert shape(raw, few.medium).complexity(few) == counted(document).complexity(few)


@given(st.binary(max_size=80) | st.builds(bytes.__add__, st.just(b"\x30\0\0\0"), st.binary(max_size=80)))
def test_bytes_that_are_no_document_are_refused_or_counted_and_nothing_else(raw: bytes) -> None:
    with contextlib.suppress(MalformedBsonError):
        shape(raw)


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_a_document_that_is_cut_off_is_refused(cut: int) -> None:
    raw = bson.encode({"a": "text", "b": {"c": [1, 2, 3]}})
    with pytest.raises(MalformedBsonError):
        shape(raw[:-cut])
