"""fpe and fpe_decrypt: form kept, originals back, check digits as asked, and nothing taken that is too small."""

from __future__ import annotations

import re

import pytest
from bson.int64 import Int64
from hypothesis import given, settings
from hypothesis import strategies as st
from masker_cases import KEY, ODD_VALUES, OTHER_KEY, mask, taken

from phimask import FAILED
from phimask.testing import check_masker
from phimask_plugins.maskers.ff1 import ALPHABETS, FF1, luhn_digit
from phimask_plugins.maskers.fpe import Fpe, FpeDecrypt

OPTIONS = [
    {},
    {"alphabet": "lower"},
    {"alphabet": "alphanumeric", "allow_small": True},
    {"alphabet": "hex", "keep_separators": False},
    {"alphabet": "αβγδεζηθικλμνξο"},
    {"keep_others": True},
    {"tweak": "visits"},
    {"check": "luhn_valid"},
    {"check": "luhn_invalid"},
    {"check": "npi_valid"},
    {"check": "npi_invalid"},
]
EXAMPLES = {
    "αβγδεζηθικλμνξο": ["αβγδεζηθ"],
    "luhn_invalid": ["4111-1111-1111-1111", 79927398713],
    "npi_valid": ["1234567893"],
    "npi_invalid": ["1234567893"],
}


def luhn_is_right(digits: str) -> bool:
    """The published procedure, from the right: every second digit doubled, its digits summed."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value // 10 + value % 10
    return total % 10 == 0


def npi_is_right(digits: str) -> bool:
    return len(digits) == 10 and digits[0] in "12" and luhn_is_right("80840" + digits)


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(map(str, options.values())))
@pytest.mark.parametrize("cls", [Fpe, FpeDecrypt])
def test_the_kit(cls, options):
    examples = [
        example
        for named in options.values()
        for example in EXAMPLES.get(named, ())
        if cls is Fpe and isinstance(example, str)
    ]
    if cls is FpeDecrypt and "invalid" in str(options.get("check")):
        examples = mask(Fpe(options, KEY), EXAMPLES[options["check"]][0])
    elif cls is FpeDecrypt:
        examples = [example for named in options.values() for example in EXAMPLES.get(named, ())]
    check_masker(cls, options, examples)


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(map(str, options.values())))
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_originals_come_back(options, data):
    masker = Fpe(options, KEY)
    alphabet = ALPHABETS.get(options.get("alphabet", "digits"), options.get("alphabet", ""))
    texts = st.text(st.sampled_from(alphabet * 3 + " -.AZé"), max_size=24)
    integers = st.one_of(
        st.integers(-(2**31), 2**31 - 1),
        st.integers(-(2**63), 2**63 - 1).map(Int64),
        st.integers(0, 10**6).map(Int64),
    )
    values = taken(masker, data.draw(st.lists(st.one_of(texts, integers), max_size=6)))
    masks = mask(masker, *values)
    backs = mask(FpeDecrypt(options, KEY), *masks) if FAILED not in masks else []
    for value, result in zip(values, masks, strict=True):
        if result is FAILED:
            continue
        assert type(result) is type(value)
        if isinstance(value, str):
            assert len(result) == len(value)
            assert all(
                (one in alphabet) == (other in alphabet) and (one in alphabet or one == other)
                for one, other in zip(value, result, strict=True)
            )
        else:
            assert len(str(result)) == len(str(value))
            assert (result < 0) == (value < 0)
    for value, back in zip(values, backs, strict=bool(backs)):
        if backs:
            assert back == value
            assert type(back) is type(value)


def test_separators_stay_and_the_rest_is_plain_ff1():
    masker = Fpe({}, KEY)
    plain, dressed, spaced = mask(masker, "900123456", "900-12-3456", " 900 12.3456\u2013")
    assert plain == f"{FF1(KEY, 10).encrypt([900123456], 9)[0]:09}"
    assert dressed == f"{plain[:3]}-{plain[3:5]}-{plain[5:]}"
    assert spaced == f" {plain[:3]} {plain[3:5]}.{plain[5:]}\u2013"


@pytest.mark.parametrize(
    ("options", "value", "kept"),
    [
        ({}, "MRN0047113", False),
        ({"keep_others": True}, "MRN0047113", True),
        ({"keep_others": True}, "MRN-0047113", True),
        ({"keep_others": True, "keep_separators": False}, "MRN0047113", True),
        ({"keep_others": True, "keep_separators": False}, "MRN-0047113", False),
        ({"keep_separators": False}, "0047113", True),
        ({"keep_separators": False}, "004-7113", False),
        ({}, "٠١٢٣٤٥٦٧٨٩", False),
        ({}, "0047113\u200b", False),
        ({}, "0047113🩺", False),
        ({"keep_others": True}, "0047113🩺", True),
        ({"keep_others": True}, "0047113\ud800", False),
        ({"alphabet": "lower"}, "lovelace", True),
        ({"alphabet": "lower"}, "Lovelace", False),
        ({"alphabet": "letters"}, "Lovelace, A", True),
        ({"alphabet": "0123456789-"}, "900-12-3456", True),
        ({}, "-----------", False),
        ({"keep_others": True}, "Ada Lovelace", False),
        ({}, "9" * 500, True),
        ({}, "9" * 501, False),
        ({}, "9" * 10_000_000, False),
    ],
)
def test_what_is_neither_encrypted_nor_kept_fails(options, value, kept):
    (result,) = mask(Fpe(options, KEY), value)
    assert (result is not FAILED) == kept
    if kept:
        assert result != value
        assert [one for one in result if not one.isalnum()] == [
            one for one in value if not one.isalnum()
        ] or "-" in options.get("alphabet", "")


@pytest.mark.parametrize(
    ("options", "smallest", "smallest_at_all"),
    [
        ({}, "123456", "12"),
        ({"alphabet": "lower"}, "abcde", "ab"),
        ({"alphabet": "01"}, "01" * 10, "0101010"),
        ({"check": "luhn_valid"}, "1234567", "123"),
    ],
)
def test_domains_under_a_million_are_refused_unless_told(options, smallest, smallest_at_all):
    strict, lax = Fpe(options, KEY), Fpe({**options, "allow_small": True}, KEY)
    (large, small) = mask(strict, smallest, smallest[:-1])
    assert large is not FAILED
    assert small is FAILED
    assert FAILED not in mask(lax, smallest[:-1], smallest_at_all)
    assert mask(lax, smallest_at_all[:-1]) == [FAILED]


@pytest.mark.parametrize("value", [0, 7, 99_999, -99_999, Int64(12_345)])
def test_small_integers_fail_too(value):
    assert mask(Fpe({}, KEY), value) == [FAILED]


def test_all_integers_of_a_length_are_permuted_among_themselves():
    masker = Fpe({"allow_small": True}, KEY)
    for low, high in ((10, 99), (100, 999), (1000, 9999)):
        values = list(range(low, high + 1))
        assert sorted(mask(masker, *values)) == values
        assert sorted(mask(masker, *(-value for value in values))) == [-value for value in reversed(values)]


def test_equal_numbers_of_either_integer_type_stay_equal_and_others_stay_apart():
    masker = Fpe({}, KEY)
    values = [1_000_000_007 + 2_290_001 * step for step in range(500)]
    ints, longs = mask(masker, *values), mask(masker, *map(Int64, values))
    assert ints == longs
    assert {type(one) for one in longs} == {Int64}
    above = mask(masker, *(Int64(2**31 + 11_000_003 * step) for step in range(500)))
    assert all(2**31 <= one < 10**10 for one in above)
    assert len({*ints, *above}) == 1000


def test_the_extremes_of_integers_stay_within_their_type():
    values = [2**31 - 1, -(2**31), Int64(2**63 - 1), Int64(-(2**63)), Int64(10**18)]
    for options in ({}, {"check": "luhn_valid"}):
        results = mask(Fpe(options, KEY), *values)
        for value, result in zip(values, results, strict=True):
            if result is not FAILED:
                bound = 2**63 if type(value) is Int64 else 2**31
                assert -bound <= result < bound
        if not options:
            assert FAILED not in results


cards = st.text(st.sampled_from("0123456789"), min_size=11, max_size=18).map(
    lambda text: text + str(luhn_digit(text))
)
npis = st.integers(10**8, 3 * 10**8 - 1).map(lambda number: f"{number}{luhn_digit(f'80840{number}')}")


@pytest.mark.parametrize(
    ("kind", "numbers", "right"), [("luhn", cards, luhn_is_right), ("npi", npis, npi_is_right)]
)
@given(data=st.data())
def test_valid_numbers_stay_valid_or_become_invalid_as_asked(kind, numbers, right, data):
    value = data.draw(numbers)
    assert right(value)
    (valid,) = mask(Fpe({"check": f"{kind}_valid"}, KEY), value)
    (invalid,) = mask(Fpe({"check": f"{kind}_invalid"}, KEY), value)
    assert right(valid)
    assert not right(invalid)
    assert len(valid) == len(invalid) == len(value)
    if kind == "npi":
        assert invalid[0] in "12"
        assert not luhn_is_right("80840" + invalid)


@given(cards, st.integers(1, 9))
def test_invalid_numbers_stay_invalid_or_fail(card, off):
    wrong = card[:-1] + str((int(card[-1]) + off) % 10)
    (still,) = mask(Fpe({"check": "luhn_valid"}, KEY), wrong)
    assert not luhn_is_right(still)
    assert mask(FpeDecrypt({"check": "luhn_valid"}, KEY), still) == [wrong]
    assert mask(Fpe({"check": "luhn_invalid"}, KEY), wrong) == [FAILED]


@pytest.mark.parametrize(
    "value", ["123456789", "12345678903", "3234567893", "0234567893", "4711", 9_999_999_999]
)
def test_what_is_no_npi_fails(value):
    value = Int64(value) if isinstance(value, int) else value
    assert mask(Fpe({"check": "npi_valid"}, KEY), value) == [FAILED]


def test_an_npi_may_be_an_integer():
    for value in (1234567893, Int64(1234567893), Int64(2000000002)):
        for wanted in ("npi_valid", "npi_invalid"):
            (result,) = mask(Fpe({"check": wanted}, KEY), value)
            if result is FAILED:
                assert wanted == "npi_invalid"
                assert not npi_is_right(str(value))
                continue
            assert type(result) is type(value)
            assert npi_is_right(str(result)) == (wanted == "npi_valid" and npi_is_right(str(value)))
            assert mask(FpeDecrypt({"check": wanted}, KEY), result) == [value]


def test_a_card_keeps_its_dashes_and_its_validity():
    (result,) = mask(Fpe({"check": "luhn_valid"}, KEY), "4111-1111-1111-1111")
    assert re.fullmatch(r"\d{4}-\d{4}-\d{4}-\d{4}", result)
    assert luhn_is_right(result.replace("-", ""))


def test_no_collisions_and_no_more_fixed_points_than_a_permutation_has():
    masker = Fpe({"check": "npi_valid"}, KEY)
    values = [f"{number}{luhn_digit(f'80840{number}')}" for number in range(150_000_000, 150_005_000)]
    results = mask(masker, *values)
    assert len(set(results)) == len(values)
    assert sum(one == other for one, other in zip(values, results, strict=True)) <= 1


def test_another_key_and_another_tweak_give_other_masks():
    results = {
        mask(Fpe({"tweak": tweak}, key), "900123456")[0]
        for key in (KEY, OTHER_KEY)
        for tweak in ("", "visits", "claims")
    }
    assert len(results) == 6


def test_a_repeated_value_has_one_mask():
    masker = Fpe({}, KEY)
    first, other, again = mask(masker, "900123456", "900123457", "900123456")
    assert first == again != other


@pytest.mark.parametrize(
    "options",
    [
        {"alphabet": "aa"},
        {"alphabet": "lower", "check": "npi_valid"},
        {"alphabet": "10", "check": "luhn_valid"},
    ],
)
def test_options_that_do_not_go_together(options):
    with pytest.raises(ValueError, match=r"`(alphabet|check)`"):
        Fpe(options, KEY)


@pytest.mark.parametrize("cls", [Fpe, FpeDecrypt])
def test_without_a_key_nothing(cls):
    with pytest.raises(ValueError, match="needs a masking key"):
        mask(cls({}), "900123456")


@pytest.mark.parametrize("cls", [Fpe, FpeDecrypt])
def test_only_digits_take_integers(cls):
    assert cls({"alphabet": "hex"}, KEY).types == {"string"}
    assert cls({"alphabet": "0123456789"}, KEY).types == {"string", "int", "long"}


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(map(str, options.values())))
def test_odd_values_are_masked_or_fail_and_never_raise(options):
    masker = Fpe(options, KEY)
    values = taken(masker)
    results = mask(masker, *values)
    assert len(values) > 30
    for value, result in zip(values, results, strict=True):
        assert result is FAILED or type(result) is type(value)
        assert result != value or value == ""
    assert {repr(one) for one in results if one is FAILED} == {repr(FAILED)}
    assert mask(masker, *[value for value in ODD_VALUES if isinstance(value, float)])[0] is FAILED
