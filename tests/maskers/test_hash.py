"""hash: HMAC-SHA-256, shaped to the value's type."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.objectid import ObjectId
from hypothesis import given
from hypothesis import strategies as st
from masker_cases import KEY, mask, texts

from phimask_plugins.maskers import Hash
from phimask_plugins.maskers.keyed import KeyedHash


@pytest.mark.parametrize(
    ("key", "data", "expected"),
    [
        ("0b" * 20, "4869205468657265", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        ("aa" * 20, "dd" * 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
        (
            "aa" * 131,
            b"Test Using Larger Than Block-Size Key - Hash Key First".hex(),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
    ],
)
def test_the_keyed_hash_agrees_with_rfc_4231(key, data, expected):
    assert KeyedHash(bytes.fromhex(key)).digest(bytes.fromhex(data)).hex() == expected


@given(st.binary(min_size=1, max_size=200), st.binary(max_size=300))
def test_the_keyed_hash_agrees_with_the_standard_library(key, message):
    keyed = KeyedHash(key)
    for _ in range(2):
        assert keyed.digest(message) == hmac.digest(key, message, "sha256")


def test_several_messages_have_the_digests_that_each_has():
    messages = [b"", b"a", b"b" * 200]
    keyed = KeyedHash(b"k" * 32)
    assert keyed.digests(messages) == [keyed.digest(message) for message in messages]
    with pytest.raises(ValueError, match="masking key"):
        KeyedHash(b"").digests(messages)


@given(texts.filter(bool))
def test_a_string_becomes_its_digests_first_digits(value):
    expected = hmac.new(KEY, value.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
    for length in (8, 32, 64):
        assert mask(Hash({"length": length}, KEY), value) == [expected[:length]]


@given(
    st.one_of(
        st.integers(-(2**31), 2**31 - 1),
        st.integers(-(2**63), 2**63 - 1).map(Int64),
        st.floats(),
        st.decimals(allow_nan=True, places=2, min_value=-(10**9), max_value=10**9).map(Decimal128),
    )
)
def test_numbers_become_whole_numbers_of_their_type_not_negative(value):
    (result,) = mask(Hash({}, KEY), value)
    assert type(result) is type(value)
    assert result != value
    if isinstance(result, Decimal128):
        number = result.to_decimal()
        assert 0 <= number < 10**34
        assert number == number.to_integral_value()
    elif isinstance(result, float):
        assert 0 <= result < 2**53
        assert result.is_integer()
    else:
        assert 0 <= result < (2**63 if isinstance(value, Int64) else 2**31)


def test_results_use_the_whole_range_of_their_type():
    for values, bound in (
        (list(range(2000)), 2**31),
        ([Int64(number) for number in range(2000)], 2**63),
        ([float(number) for number in range(2000)], 2**53),
    ):
        results = mask(Hash({}, KEY), *values)
        assert len(set(results)) == len(results)
        assert max(results) > bound * 0.99
        assert min(results) < bound * 0.01


def test_an_object_id_loses_its_time_too():
    ids = [ObjectId(f"65000000aaaaaaaaaa{number:06x}") for number in range(200)]
    results = mask(Hash({}, KEY), *ids)
    assert all(type(result) is ObjectId for result in results)
    assert len({result.generation_time for result in results}) > 190


def test_a_digest_is_never_the_value_itself():
    (digest,) = mask(Hash({"length": 8}, KEY), "Ada")
    masker = Hash({"length": 8}, KEY)

    def digest_of(message):
        return bytes.fromhex("aabbccdd") * 8 if not message.endswith(b"\0") else b"\1" * 32

    masker._digest = digest_of
    masker._digests = lambda messages: [digest_of(message) for message in messages]
    assert mask(masker, "aabbccdd", "other") == ["01010101", "aabbccdd"]
    assert len(digest) == 8


def test_short_digests_are_called_lossy():
    assert Hash({}, KEY).uniqueness == "probable"
    assert Hash({"length": 16}, KEY).uniqueness == "probable"
    assert Hash({"length": 15}, KEY).uniqueness == "lossy"


def test_draws_are_even_and_longer_pools_give_more():
    keyed = KeyedHash(KEY)
    counts = [0] * 10
    for number in range(2000):
        draws = keyed.draws("label", str(number), bits=600)
        for _ in range(20):
            counts[draws.below(10)] += 1
    assert all(3700 < count < 4300 for count in counts)
    assert keyed.draws("label", "x", bits=2000).below(2**1900) > 2**1500


def test_label_attempt_and_text_each_matter_to_the_draw():
    keyed = KeyedHash(KEY)
    drawn = {
        keyed.draws(label, text, attempt).below(2**200)
        for label in ("a", "b")
        for text in ("", "x", "0\0x")
        for attempt in (0, 1)
    }
    assert len(drawn) == 12


@given(texts.filter(bool))
def test_a_string_may_be_spelt_in_other_digits(value):
    digest = hmac.digest(KEY, value.encode("utf-8", "surrogatepass"), "sha256")
    base32 = base64.b32encode(digest).decode()
    for length in (8, 26, 51):
        assert mask(Hash({"length": length, "encoding": "base32"}, KEY), value) == [base32[:length]]
    for length in (8, 20, 64):
        (result,) = mask(Hash({"length": length, "encoding": "integer"}, KEY), value)
        assert len(result) == length
        assert int(result) == int.from_bytes(digest, "big") % 10**length


@pytest.mark.parametrize(("encoding", "enough"), [("hex", 16), ("base32", 13), ("integer", 20)])
def test_fewer_than_64_bits_are_called_lossy(encoding, enough):
    assert Hash({"encoding": encoding, "length": enough}, KEY).uniqueness == "probable"
    assert Hash({"encoding": encoding, "length": enough - 1}, KEY).uniqueness == "lossy"


def test_a_digest_has_but_51_digits_of_base_32():
    with pytest.raises(ValueError, match="51 digits of base 32"):
        Hash({"encoding": "base32", "length": 52}, KEY)
