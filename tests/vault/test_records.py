"""A batch as bytes, cut anywhere, is the same batch again."""

from __future__ import annotations

import bson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vault_samples import ids, originals

from phimask.masking.fingerprints import Fingerprint
from phimask.vault.records import Original, Unreadable, pieces, records


@given(originals(), st.integers(1, 100))
def test_cut_and_put_together(batch: list[Original], size: int) -> None:
    cut = list(pieces(batch, size))
    assert cut
    assert all(len(piece) <= size for piece in cut)
    assert list(records(cut)) == batch


@given(originals(), st.integers(1, 100), st.integers(0, 1000))
def test_half_a_batch_is_none(batch: list[Original], size: int, cut_at: int) -> None:
    whole = b"".join(pieces(batch, size))
    part = whole[: cut_at % max(len(whole), 1)]
    try:
        found = list(records([part]))
    except Unreadable:
        return
    assert found == batch[: len(found)]
    assert b"".join(pieces(found)) == part


def test_a_document_as_large_as_may_be() -> None:
    big = Original(ids(1)[0], True, bytes(16 << 20), bytes(16))
    cut = list(pieces([big, big]))
    assert max(map(len, cut)) <= 4 << 20
    assert list(records(cut)) == [big, big]


def test_what_an_update_leaves_is_the_fingerprint_of_its_values() -> None:
    fingerprint = Fingerprint(b"k")
    masked = bson.encode({"Name": "Bea", "Visits.0.Note": "x"})
    update = bson.encode({"$set": {"Name": "Bea", "Visits.0.Note": "x"}})
    values = bson.encode({"Name": "Ada", "Visits.0.Note": "y"})
    one = Original.of_update(ids(1)[0], values, update, fingerprint)
    assert (one.whole, one.restore, one.masked) == (False, values, fingerprint.of(masked))
    whole = Original.of_whole(ids(1)[0], values, masked, fingerprint)
    assert (whole.whole, whole.restore, whole.masked) == (True, values, fingerprint.of(masked))


@pytest.mark.parametrize("shown", [repr, str])
def test_nothing_of_it_is_shown(shown: object) -> None:
    one = Original(ids(1)[0], False, b"Quillfeather", b"Quillfeather"[:16])
    assert "Quill" not in (repr(one) if shown is repr else str(one))
