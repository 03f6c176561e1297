"""FF1: the published vectors both ways, and an implementation by the letter of the standard beside it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB
from hypothesis import given, settings
from hypothesis import strategies as st

from phimask_plugins.maskers.ff1 import ALPHABETS, FF1, Alphabet, luhn_digit

VECTORS = Path(__file__).resolve().parents[2] / "../shared/testdata/ff1_vectors.jsonl"
KEY = bytes(range(32))


def vectors() -> list[dict[str, Any]]:
    if not VECTORS.exists():
        return []
    return [json.loads(line) for line in VECTORS.read_text(encoding="utf-8").splitlines()]


def number(numerals: list[int], radix: int) -> int:
    value = 0
    for numeral in numerals:
        value = value * radix + numeral
    return value


def numerals(value: int, radix: int, length: int) -> list[int]:
    found = []
    for _ in range(length):
        value, numeral = divmod(value, radix)
        found.insert(0, numeral)
    return found


def by_the_letter(key: bytes, radix: int, tweak: bytes, plain: list[int]) -> list[int]:
    """Algorithm 7 of SP 800-38G, step by step, one value at a time."""
    n, t = len(plain), len(tweak)
    u = n // 2
    v = n - u
    a, b_half = plain[:u], plain[u:]
    bits = 0
    while 2**bits < radix**v:
        bits += 1
    b = math.ceil(bits / 8)
    d = 4 * math.ceil(b / 4) + 4
    p = b"\x01\x02\x01" + radix.to_bytes(3, "big") + bytes([10, u % 256])
    p += n.to_bytes(4, "big") + t.to_bytes(4, "big")
    for i in range(10):
        q = tweak + bytes((-t - b - 1) % 16) + bytes([i]) + number(b_half, radix).to_bytes(b, "big")
        cbc = Cipher(AES(key), CBC(bytes(16))).encryptor()
        r = cbc.update(p + q)[-16:]
        ecb = Cipher(AES(key), ECB()).encryptor()
        s = r
        for j in range(1, math.ceil(d / 16)):
            s += ecb.update((int.from_bytes(r, "big") ^ j).to_bytes(16, "big"))
        y = int.from_bytes(s[:d], "big")
        m = u if i % 2 == 0 else v
        a, b_half = b_half, numerals((number(a, radix) + y) % radix**m, radix, m)
    return a + b_half


@pytest.mark.skipif(not VECTORS.exists(), reason="the shared test data is not here")
def test_there_are_vectors():
    assert len(vectors()) == 23


@pytest.mark.parametrize("case", vectors(), ids=lambda case: f"{case['radix']}-{len(case['key']) * 4}")
def test_published_vectors_both_ways(case):
    radix = case["radix"]
    if "alphabet" in case:
        alphabet = Alphabet(case["alphabet"])
        plain, cipher = alphabet.number(case["pt"]), alphabet.number(case["ct"])
        length = len(case["pt"])
        assert alphabet.text(cipher, length) == case["ct"]
    else:
        plain, cipher = number(case["pt_num"], radix), number(case["ct_num"], radix)
        length = len(case["pt_num"])
    ff1 = FF1(bytes.fromhex(case["key"]), radix, bytes.fromhex(case["tweak"]))
    assert ff1.encrypt([plain], length) == [cipher]
    assert ff1.decrypt([cipher], length) == [plain]


@settings(deadline=None, max_examples=150)
@given(
    radix=st.one_of(st.sampled_from([2, 3, 10, 16, 26, 36, 62, 2**16]), st.integers(2, 2**16)),
    length=st.integers(2, 90),
    tweak=st.binary(max_size=40),
    seeds=st.lists(st.integers(0), min_size=1, max_size=4),
    key=st.binary(min_size=16, max_size=16),
)
def test_columns_agree_with_the_standard_by_the_letter(radix, length, tweak, seeds, key):
    if radix**length < 100:
        with pytest.raises(ValueError, match="domain"):
            FF1(key, radix, tweak).encrypt([0], length)
        return
    plain = [seed % radix**length for seed in seeds]
    expected = [
        number(by_the_letter(key, radix, tweak, numerals(one, radix, length)), radix) for one in plain
    ]
    ff1 = FF1(key, radix, tweak)
    assert ff1.encrypt(plain, length) == expected
    assert ff1.decrypt(expected, length) == plain


@pytest.mark.parametrize("length", [18, 19, 20, 37, 38, 39, 76, 78, 120, 500])
def test_lengths_where_the_number_of_blocks_changes(length):
    ff1 = FF1(KEY, 10, b"tweak")
    plain = [0, 10**length - 1, 123456789 * 10 ** (length - 10)]
    expected = [number(by_the_letter(KEY, 10, b"tweak", numerals(one, 10, length)), 10) for one in plain]
    assert ff1.encrypt(plain, length) == expected
    assert ff1.decrypt(expected, length) == plain


@pytest.mark.parametrize(("radix", "length"), [(10, 2), (10, 3), (2, 7), (7, 4), (100, 2)])
def test_a_whole_domain_is_permuted(radix, length):
    ff1 = FF1(KEY, radix)
    domain = list(range(radix**length))
    permuted = ff1.encrypt(domain, length)
    assert sorted(permuted) == domain
    assert permuted != domain
    assert ff1.decrypt(permuted, length) == domain


def test_key_tweak_and_length_each_give_another_permutation():
    plain = [123456]
    results = {
        FF1(key, 10, tweak).encrypt(plain, length)[0]
        for key in (KEY, KEY[::-1])
        for tweak in (b"", b"a", b"b" * 20)
        for length in (7, 8, 9)
    }
    assert len(results) == 18


def test_an_empty_column():
    assert FF1(KEY, 10).encrypt([], 9) == []
    assert FF1(KEY, 2**16, b"x" * 40).decrypt([], 50) == []


@pytest.mark.parametrize("radix", [0, 1, 2**16 + 1])
def test_a_radix_that_there_is_not(radix):
    with pytest.raises(ValueError, match="radix"):
        FF1(KEY, radix)


@pytest.mark.parametrize(("radix", "length"), [(10, 0), (10, 1), (2, 6), (99, 1), (4, 3)])
def test_a_domain_below_a_hundred(radix, length):
    with pytest.raises(ValueError, match="domain of 100"):
        FF1(KEY, radix).encrypt([0], length)


def test_masks_are_spread_evenly():
    masks = FF1(KEY, 10).encrypt(range(100_000_000, 100_020_000), 9)
    assert len(set(masks)) == 20_000
    for place in range(9):
        counts = [0] * 10
        for mask in masks:
            counts[mask // 10**place % 10] += 1
        # chi-squared with 9 degrees of freedom: above 33.7 once in 10,000 fair draws
        assert sum((count - 2000) ** 2 / 2000 for count in counts) < 33.7


@pytest.mark.parametrize("name", [*ALPHABETS, "αβγδε", "🩺💉🧬", "zyx", "ab_+ "])
@given(data=st.data())
def test_alphabets_turn_texts_into_numbers_and_back(name, data):
    alphabet = Alphabet(ALPHABETS.get(name, name))
    text = data.draw(st.text(st.sampled_from(alphabet.characters), min_size=1, max_size=40))
    value = alphabet.number(text)
    assert value == number([alphabet.characters.index(one) for one in text], alphabet.radix)
    assert alphabet.text(value, len(text)) == text


@pytest.mark.parametrize("characters", ["", "a", "aa", "abca", "ab\ud800", "x" * 70_000])
def test_no_alphabets(characters):
    with pytest.raises(ValueError, match="`alphabet`"):
        Alphabet(characters)


@pytest.mark.parametrize(
    ("payload", "digit"),
    [
        ("7992739871", 3),
        ("411111111111111", 1),
        ("37828224631000", 5),
        ("80840123456789", 3),
        ("0", 0),
        ("9", 1),
    ],
)
def test_published_check_digits(payload, digit):
    assert luhn_digit(payload) == digit


@given(st.text(st.sampled_from("0123456789"), min_size=1, max_size=30), st.integers(0), st.integers(1, 9))
def test_the_check_digit_notices_every_wrong_digit(payload, place, change):
    place %= len(payload)
    wrong = payload[:place] + str((int(payload[place]) + change) % 10) + payload[place + 1 :]
    assert luhn_digit(wrong) != luhn_digit(payload)
