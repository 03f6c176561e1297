"""What keyed maskers promise of many values at once: no masks shared, even draws, nothing left alone, keys apart.

All keys are fixed, so each figure is the same in every run; bounds are those that a fair draw misses once in a
million times or less.
"""

# ruff: noqa: DTZ001  (BSON dates decode to naive UTC)

from __future__ import annotations

import datetime
import itertools
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from bson.int64 import Int64
from bson.objectid import ObjectId
from masker_cases import KEY, OTHER_KEY, mask

from phimask import FAILED, Masker
from phimask_plugins.maskers import (
    Choice,
    DateShift,
    Fake,
    FhirId,
    Fpe,
    Hash,
    Perturb,
    Pseudonym,
    RefreshUid,
    Scramble,
)

SSNS = [f"{100 + number % 700}-{number % 99 + 1:02}-{number * 7919 % 10000:04}" for number in range(5000)]
NUMBERS = [f"{number:09}" for number in range(0, 10**9, 199_999)]
START = datetime.datetime(2000, 1, 1)


def chi_square(counts: Sequence[int], expected: float) -> float:
    """Pearson's statistic, in standard deviations from what an even draw has on average."""
    freedom = len(counts) - 1
    statistic = sum((count - expected) ** 2 for count in counts) / expected
    return (statistic - freedom) / math.sqrt(2 * freedom)


def shifts(options: dict[str, Any], number: int, key: bytes = KEY) -> list[datetime.timedelta]:
    results = mask(
        DateShift(options, key), *[START] * number, subjects=[b"subject %d" % each for each in range(number)]
    )
    return [result - START for result in results]


@pytest.mark.parametrize("key", [KEY, OTHER_KEY, b"k" * 32])
@pytest.mark.parametrize(
    "options",
    [
        {"max_days": 50},
        {"min_days": 30, "max_days": 100},
        {"keep": ["time_of_day", "weekday"], "max_days": 365},
    ],
)
def test_shifts_are_even_over_all_days_there_are(options, key):
    drawn = Counter(shift.days for shift in shifts(options, 20_000, key))
    low, high = options.get("min_days", 1), options["max_days"]
    step = 7 if "keep" in options else 1
    days = [day for day in range(-high, high + 1) if low <= abs(day) and day % step == 0]
    assert drawn.keys() <= set(days)
    assert abs(chi_square([drawn[day] for day in days], 20_000 / len(days))) < 5


def test_shifts_of_seconds_are_even_over_the_clock():
    hours = Counter(shift.seconds // 3600 for shift in shifts({"keep": [], "max_days": 30}, 24_000))
    assert abs(chi_square([hours[hour] for hour in range(24)], 1000)) < 5


def test_one_persons_shift_says_nothing_of_the_next():
    days = [shift.days for shift in shifts({}, 20_000)]
    mean = sum(days) / len(days)
    spread = sum((day - mean) ** 2 for day in days)
    following = sum((one - mean) * (other - mean) for one, other in itertools.pairwise(days))
    assert abs(following / spread) < 5 / math.sqrt(len(days))
    assert abs(mean) < 5 * 211 / math.sqrt(len(days))


INJECTIVE: list[tuple[Masker, list[Any]]] = [
    (Fpe({}, KEY), NUMBERS),
    (Fpe({"alphabet": "alphanumeric"}, KEY), [f"MRN{number:06}" for number in range(5000)]),
    *((Fake({"kind": kind, "unique": True}, KEY), SSNS) for kind in ("mrn", "account", "passport")),
    (Fake({"kind": "mrn", "unique": True}, KEY), [Int64(number) for number in range(10**6, 10**6 + 5000)]),
]
PROBABLE: list[tuple[Masker, list[Any]]] = [
    (Hash({}, KEY), SSNS),
    (Hash({"encoding": "base32"}, KEY), SSNS),
    (Hash({}, KEY), [Int64(number) for number in range(5000)]),
    (Hash({}, KEY), [ObjectId(f"{number:024x}") for number in range(5000)]),
    (FhirId({}, KEY), [f"id-{number}" for number in range(5000)]),
    (RefreshUid({}, KEY), [f"{number:024x}" for number in range(5000)]),
    (Pseudonym({}, KEY), SSNS),
    *((Fake({"kind": kind}, KEY), SSNS) for kind in ("email", "username", "url", "ipv6")),
]
EVER_CHANGING: list[tuple[Masker, list[Any]]] = [
    *INJECTIVE[2:],
    *PROBABLE[:4],
    *(
        (Fake({"kind": kind}, KEY), SSNS)
        for kind in ("mrn", "ssn", "phone", "state_code", "mac", "first_name")
    ),
    (Fake({"kind": "mrn"}, KEY), [str(number % 10) for number in range(20)]),
]


def named(cases: list[tuple[Masker, list[Any]]]) -> Any:
    return pytest.mark.parametrize(
        ("masker", "values"),
        cases,
        ids=[f"{masker.name}-{type(values[0]).__name__}" for masker, values in cases],
    )


@named(INJECTIVE)
def test_injective_maskers_never_share_a_mask(masker, values):
    results = mask(masker, *values)
    assert masker.uniqueness == "injective"
    assert FAILED not in results
    assert len(set(results)) == len(set(values)) == len(values)


@named(PROBABLE)
def test_probable_maskers_hardly_ever_share_a_mask(masker, values):
    assert masker.uniqueness == "probable"
    assert len(set(mask(masker, *values))) == len(set(values))


@named(EVER_CHANGING)
def test_where_it_is_promised_no_value_stays(masker, values):
    assert masker.changes == "always"
    results = mask(masker, *values)
    assert not any(one == other for one, other in zip(values, results, strict=True))


@pytest.mark.parametrize("bits", [1, 255])
def test_keys_that_differ_by_a_bit_share_nothing(bits):
    near = (int.from_bytes(KEY, "big") ^ (1 << bits)).to_bytes(32, "big")
    for make in (
        lambda key: Hash({"length": 64}, key),
        lambda key: Fake({"kind": "url"}, key),
        lambda key: Fake({"kind": "mrn", "unique": True}, key),
        lambda key: Fpe({}, key),
    ):
        values = NUMBERS[:2000]
        mine, theirs = mask(make(KEY), *values), mask(make(near), *values)
        assert sum(one == other for one, other in zip(mine, theirs, strict=True)) <= 2


def test_a_bit_of_the_key_or_value_changes_half_of_a_digests_bits():
    near = bytes([KEY[0] ^ 1]) + KEY[1:]
    flipped = 0
    for number in range(500):
        value, other = f"value {2 * number}", f"value {2 * number + 1}"
        mine, of_near = (Hash({"length": 64}, key) for key in (KEY, near))
        digests = [int(text, 16) for text in (*mask(mine, value, other), *mask(of_near, value))]
        flipped += (digests[0] ^ digests[1]).bit_count() + (digests[0] ^ digests[2]).bit_count()
    # 256,000 fair flips: five standard deviations are 1,265.
    assert abs(flipped - 128_000) < 1265


def test_digits_of_fakes_and_ciphers_are_even():
    for masker in (
        Fake({"kind": "mrn"}, KEY),
        Fake({"kind": "mrn", "unique": True}, KEY),
        Fpe({}, KEY),
        Scramble({}, KEY),
    ):
        results = mask(masker, *NUMBERS)
        for place in (1, 4, 8):
            counts = Counter(result[place] for result in results)
            assert abs(chi_square([counts[digit] for digit in "0123456789"], len(NUMBERS) / 10)) < 5


def test_words_of_a_dictionary_are_drawn_evenly():
    names = Counter(mask(Fake({"kind": "state_code"}, KEY), *SSNS, *NUMBERS))
    assert len(names) == 51
    assert abs(chi_square(list(names.values()), (len(SSNS) + len(NUMBERS)) / 51)) < 5
    picked = Counter(mask(Choice({"values": ["a", "b", "c"], "weights": [1, 2, 5]}, KEY), *NUMBERS))
    for word, weight in (("a", 1), ("b", 2), ("c", 5)):
        expected = len(NUMBERS) * weight / 8
        assert abs(picked[word] - expected) < 5 * math.sqrt(expected)


def test_noise_is_even_and_balanced():
    noise = [
        result - 100.0
        for result in mask(
            Perturb({"absolute": 10}, KEY),
            *[100.0] * 10_000,
            subjects=[b"%d" % each for each in range(10_000)],
        )
    ]
    tenths = Counter(min(int((each + 10) // 2), 9) for each in noise)
    assert abs(chi_square([tenths[tenth] for tenth in range(10)], 1000)) < 5


MAKERS = [
    lambda: Hash({}, KEY),
    lambda: DateShift({}, KEY),
    lambda: DateShift({"keep": ["time_of_day", "season"]}, KEY),
    lambda: Fake({"kind": "full_name"}, KEY),
    lambda: Fake({"kind": "mrn", "unique": True}, KEY),
    lambda: Fpe({}, KEY),
    lambda: Pseudonym({}, KEY),
    lambda: Scramble({}, KEY),
]


@pytest.mark.parametrize("make", MAKERS)
def test_instances_of_one_key_agree_whatever_they_have_seen(make):
    dates = [(START + datetime.timedelta(days=number)).date().isoformat() for number in range(500)]
    values = dates if isinstance(make(), DateShift) else NUMBERS[:500]
    one, other = make(), make()
    results = mask(one, *values)
    backwards = [mask(other, value)[0] for value in reversed(values)]
    assert results == backwards[::-1] == mask(one, *values)
