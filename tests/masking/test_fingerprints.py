"""Fingerprints: HMAC-SHA-256 cut in half, and nothing of the key shown."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phimask.masking.fingerprints import FINGERPRINT_BYTES, Fingerprint


@pytest.mark.parametrize(
    ("key", "data", "tag"),
    [
        ("0b" * 20, "4869205468657265", "b0344c61d8db38535ca8afceaf0bf12b"),  # RFC 4231, test case 1
        ("4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
         "5bdcc146bf60754e6a042426089575c7"),  # RFC 4231, test case 2
        ("0c" * 20, "546573742057697468205472756e636174696f6e", "a3b6167473100ee06e0c796c2955552b"),  # case 5
    ],
)  # fmt: skip
def test_published_vectors(key: str, data: str, tag: str) -> None:
    assert Fingerprint(bytes.fromhex(key)).of(bytes.fromhex(data)).hex() == tag


@given(st.binary(max_size=64), st.lists(st.binary(max_size=300), max_size=4))
def test_is_hmac_however_often_asked(key: bytes, data: list[bytes]) -> None:
    one = Fingerprint(key)
    for each in [*data, *data]:
        assert one.of(each) == hmac.new(key, each, hashlib.sha256).digest()[:FINGERPRINT_BYTES]


def test_the_key_is_not_shown() -> None:
    assert "secret" not in repr(Fingerprint(b"secret"))


def test_a_key_longer_than_a_block_is_refused() -> None:
    with pytest.raises(ValueError, match="64 bytes at most"):
        Fingerprint(b"k" * 65)
