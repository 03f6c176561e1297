from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phimask import Totals
from phimask_plugins.validators import Count

NUMBERS = st.integers(0, 10**9)


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS)
def test_sums_that_come_out(written: int, unchanged: int, quarantined: int, missing: int) -> None:
    read = written + unchanged + quarantined + missing
    stored = written + unchanged
    assert list(Count({}).totals(Totals(read, written, unchanged, quarantined, missing))) == []
    assert list(Count({}).totals(Totals(read, written, unchanged, quarantined, missing, stored))) == []


@given(NUMBERS, st.integers(-1000, 1000).filter(bool))
def test_a_document_too_few_or_too_many_is_found(written: int, off: int) -> None:
    (finding,) = Count({}).totals(Totals(written + off, written, 0, 0, 0))
    assert finding.count == abs(off)
    assert finding.path is None
    (finding,) = Count({}).totals(Totals(written, written, 0, 0, 0, written + off))
    assert finding.count == abs(off)


@pytest.mark.parametrize(
    ("totals", "whats"),
    [
        (Totals(10, 7, 0, 2, 1, 7), []),
        (Totals(10, 7, 0, 2, 1, 9), ["7 documents should be stored, 9 are"]),
        (Totals(10, 7, 0, 2, 0, None), ["10 documents were read, 9 are accounted for"]),
        (
            Totals(10, 7, 0, 2, 0, 7),
            ["10 documents were read, 9 are accounted for", "8 documents should be stored, 7 are"],
        ),
    ],
)
def test_what_it_says(totals: Totals, whats: list[str]) -> None:
    assert [finding.what for finding in Count({}).totals(totals)] == whats


def test_it_is_asked_about_batches_and_about_the_collection() -> None:
    assert Count.phases == {"during", "after"}
