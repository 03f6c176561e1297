"""`_id`s as the ledger keeps them come back byte for byte, one by one and many together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from phimask.ledger.identities import joined, packed, parted, unpacked
from phimask.plugins.values import DocumentId

IDENTITIES = st.builds(DocumentId, st.integers(0, 0xFF), st.binary(max_size=40))


@given(st.lists(IDENTITIES))
def test_identities_come_back(found: list[DocumentId]) -> None:
    assert parted(joined(found)) == found
    assert [unpacked(packed(one)) for one in found] == found
