"""fake: the same for the same value, never the value, and nobody's."""

from __future__ import annotations

import ipaddress
import re
import unicodedata

import pytest
from bson.int64 import Int64
from hypothesis import given, settings
from hypothesis import strategies as st
from masker_cases import KEY, mask, texts

from phimask import FAILED
from phimask_plugins.maskers.fake import KINDS, Fake
from phimask_plugins.maskers.faking import drawing
from phimask_plugins.maskers.faking.checked import luhn_check_digit
from phimask_plugins.maskers.faking.dictionaries import dictionaries

every_kind = pytest.mark.parametrize("kind", KINDS)
PARTICULAR = ("date_of_birth", "initials")
"""Kinds that fail on what has another form, in place of a fake in the usual one."""
every_lenient_kind = pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in PARTICULAR])
WORDY = (
    "first_name", "middle_name", "last_name", "maiden_name", "full_name", "street", "city", "county", "state",
    "country", "organization", "job",
)  # fmt: skip
SHAPED = [kind for kind, entry in KINDS.items() if entry.shaped]


def fake(kind: str, *values, key: bytes = KEY):
    results = mask(Fake({"kind": kind}, key), *values)
    return results[0] if len(values) == 1 else results


@every_kind
@settings(max_examples=60, deadline=None)
@given(value=texts)
def test_never_the_value_itself_in_whatever_case(kind, value):
    result = fake(kind, value)
    if value.strip() == "":
        assert result == ""
    elif result is not FAILED:
        assert drawing.normal(result) != drawing.normal(value)
        result.encode()


@every_lenient_kind
def test_case_form_and_white_space_around_do_not_matter_to_what_is_drawn(kind):
    for value in ("Zoë Müller", "ADA@EXAMPLE.ORG", "Ab-1234"):
        spelt = (value, value.lower(), value.upper(), f"  {value}\t", unicodedata.normalize("NFD", value))
        drawn = {drawing.normal(result) for result in fake(kind, *spelt)}
        assert len(drawn) == 1


@every_lenient_kind
def test_two_values_that_are_both_words_of_the_dictionary_still_change(kind):
    words = dictionaries()
    values = [*words.first_names, *words.last_names, *words.states, *words.state_codes]
    for value, result in zip(values, fake(kind, *values), strict=True):
        assert result is not FAILED
        assert result.casefold() != value.casefold()


@pytest.mark.parametrize(("style", "is_style"), [(str.upper, str.isupper), (str.lower, str.islower)])
@pytest.mark.parametrize("kind", WORDY)
def test_upper_and_lower_case_are_taken_over(kind, style, is_style):
    assert is_style(fake(kind, style("Ada Lovelace")))
    result = fake(kind, "Ada Lovelace")
    assert not result.isupper()
    assert not result.islower()


def test_a_full_name_is_made_of_what_its_parts_become():
    first, last = fake("first_name", "Ada"), fake("last_name", "Lovelace")
    assert fake("full_name", "Ada Lovelace") == f"{first} {last}"
    assert fake("full_name", "Lovelace, Ada") == f"{last}, {first}"
    assert fake("full_name", "LOVELACE, ADA") == f"{last}, {first}".upper()
    assert fake("full_name", "Dr. Ada Lovelace, MD") == f"Dr. {first} {last}"
    assert fake("full_name", "Lovelace, Ada, PhD") == f"{last}, {first}"
    assert fake("full_name", "Ada Lovelace Jr.") == f"{first} {last}"
    assert fake("full_name", "Ada  Lovelace") == f"{first} {last}"
    assert fake("full_name", "Lovelace") == last
    assert fake("full_name", "Ada Mary Lovelace") == f"{fake('first_name', 'Ada Mary')} {last}"
    assert (
        fake("full_name", "Jan van der Berg")
        == f"{fake('first_name', 'Jan')} {fake('last_name', 'van der Berg')}"
    )
    assert fake("last_name", "Lovelace Jr.") == last
    words = dictionaries()
    assert first in words.first_names
    assert last in words.last_names


@given(
    st.lists(st.from_regex(r"[A-Z][a-z]{2,8}", fullmatch=True), min_size=2, max_size=2),
)
@settings(deadline=None)
def test_full_names_of_any_two_words_keep_the_parts_fakes(words):
    first, last = words
    if {first.casefold(), last.casefold()} & {
        "mrs",
        "miss",
        "prof",
        "sir",
        "rev",
        "phd",
        "esq",
        "dds",
        "iii",
    }:
        return
    parts = (fake("first_name", first), fake("last_name", last))
    assert fake("full_name", f"{first} {last}") == " ".join(parts)
    assert fake("full_name", f"{last}, {first}") == ", ".join(parts[::-1])


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("Ada B. Lovelace", r"[A-Z]\w+ [A-Z]\. [A-Z]\w+"),
        ("J. Smith", r"[A-Z]\. \w+"),
        ("Smith, Jr.", r"\w+"),
        ("Smith,", r"\w+"),
        ("李 明", r"[A-Z][a-z]+ [A-Z][a-z]+"),
        ("عبد الله", r"[A-Z][a-z]+ [A-Z][a-z]+"),
        ("Ada " * 200, r"[A-Z][a-z]+ [A-Z][a-z]+"),
        ("🩺", r"[A-Z][a-z]+"),
    ],
)
def test_odd_names(name, form):
    assert re.fullmatch(form, fake("full_name", name))


@pytest.mark.parametrize("name", [",", ", ,"])
def test_a_name_without_a_word_fails(name):
    assert fake("full_name", name) is FAILED


@given(st.from_regex(r"[A-Za-z0-9./ _-]{1,40}", fullmatch=True))
def test_shapes_are_kept(value):
    if not any(character.isalnum() for character in value):
        return
    value = value.strip()
    result = fake("mrn", value)
    assert len(result) == len(value)
    for one, other in zip(value, result, strict=True):
        if one.isdigit():
            assert other.isdigit()
        elif one.isalpha():
            assert (other.isalpha(), other.isupper()) == (True, one.isupper())
        else:
            assert other == one


@pytest.mark.parametrize("kind", SHAPED)
@given(number=st.integers(-(2**63), 2**63 - 1))
@settings(deadline=None)
def test_numbers_keep_type_sign_and_digits_and_are_the_same_as_strings(kind, number):
    forms = [str(number), Int64(number)] + ([number] if -(2**31) <= number < 2**31 else [])
    results = fake(kind, *forms)
    assert [type(result) for result in results] == [type(form) for form in forms]
    assert {int(result) for result in results} == {int(results[0])}
    assert int(results[0]) != number
    assert len(str(int(results[0]))) == len(str(number))


@pytest.mark.parametrize(
    "number",
    [0, 9, 10, 2**31 - 1, -(2**31), 10**9, Int64(2**63 - 1), Int64(-(2**63)), Int64(10**18), Int64(2**31)],
)
def test_numbers_at_the_bounds_of_their_type(number):
    for kind in SHAPED:
        result = fake(kind, number)
        assert type(result) is type(number)
        bound = 2**63 if isinstance(number, Int64) else 2**31
        assert -bound <= result < bound


def test_short_numbers_reach_all_others():
    reached = {fake("mrn", 7, key=bytes([number]) * 32) for number in range(1, 200)}
    assert reached == {1, 2, 3, 4, 5, 6, 8, 9}


@pytest.mark.parametrize("value", ["---", "x" * 257, "9" * 257])
def test_what_has_no_shape_or_is_no_identifier_fails(value):
    assert fake("mrn", value) is FAILED


def test_what_is_not_ascii_does_not_stay_in_a_shape():
    result = fake("mrn", "Ñandú-٣🩺\u200b\ud800/1")
    assert result.isascii()
    assert re.fullmatch(r"[A-Z][a-z]{4}-[0-9][a-z]{3}/[0-9]", result)


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("(617) 555-1234", r"\([2-9]\d\d\) 555-01\d\d"),
        ("617-555-1234", r"[2-9]\d\d-555-01\d\d"),
        ("617.555.1234", r"[2-9]\d\d\.555\.01\d\d"),
        ("6175551234", r"[2-9]\d\d55501\d\d"),
        ("+1 617 555 1234", r"\+1 [2-9]\d\d 555 01\d\d"),
        ("1-617-555-1234", r"1-[2-9]\d\d-555-01\d\d"),
        ("555-1234", r"555-01\d\d"),
        ("+44 20 7946 0958", r"[2-9]\d\d-555-01\d\d"),
        ("1-800-FLOWERS", r"[2-9]\d\d-555-01\d\d"),
        ("call Ada at 617-555-1234", r"[2-9]\d\d-555-01\d\d"),
        ("٦١٧٥٥٥١٢٣٤", r"[2-9]\d\d-555-01\d\d"),
    ],
)
def test_telephone_numbers_are_those_set_aside_for_fiction(value, form):
    for number in range(1, 60):
        assert re.fullmatch(form, fake("phone", value, key=bytes([number]) * 32), re.ASCII)


def test_a_telephone_number_is_the_same_however_it_is_written():
    forms = ["(617) 555-1234", "617-555-1234", "6175551234", "+1 617 555 1234", Int64(6175551234)]
    digits = {re.sub(r"\D", "", str(result))[-10:] for result in fake("phone", *forms)}
    assert len(digits) == 1
    for number in (2015551234, 2147483647, 2000000000):
        kept = fake("phone", number, Int64(number), str(number))
        assert [type(result) for result in kept] == [int, Int64, str]
        assert len({int(result) for result in kept}) == 1


def test_no_area_code_is_a_service_or_toll_free():
    areas = {fake("phone", f"617555{number:04}")[:3] for number in range(6000)}
    assert len(areas) > 500
    assert not areas & {"211", "311", "411", "511", "611", "711", "811", "911", "800", "833", "844", "855", "866",
                        "877", "888", "882", "900", "500", "533", "291", "999"}  # fmt: skip


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("123-45-6789", r"9\d\d-[0-4]\d-\d{4}"),
        ("123 45 6789", r"9\d\d [0-4]\d \d{4}"),
        ("123456789", r"9\d\d[0-4]\d\d{4}"),
        ("12345678", r"9\d\d[0-4]\d\d{4}"),
        ("123-456789", r"9\d\d-[0-4]\d-\d{4}"),
        ("unknown", r"9\d\d-[0-4]\d-\d{4}"),
        ("6789", r"\d{4}"),
        ("***-**-6789", r"\*\*\*-\*\*-\d{4}"),
        ("XXX-XX-6789", r"XXX-XX-\d{4}"),
    ],
)
def test_social_security_numbers_are_never_issued(value, form):
    for number in range(1, 60):
        result = fake("ssn", value, key=bytes([number]) * 32)
        assert re.fullmatch(form, result)
        digits = re.sub(r"\D", "", result)
        assert len(digits) == 4 or (digits[3:5] != "00" and digits[5:] != "0000")


def test_a_social_security_number_is_the_same_however_it_is_kept():
    results = fake("ssn", "123-45-6789", "123456789", 123456789, Int64(123456789))
    assert len({re.sub(r"\D", "", str(result)) for result in results}) == 1
    results = fake("ssn", "012-34-5678", "012345678", "12345678", 12345678)
    assert len({re.sub(r"\D", "", str(result)) for result in results}) == 1
    assert fake("ssn", "***-**-6789")[-4:] == fake("ssn", "6789") == str(fake("ssn", 6789))


@pytest.mark.parametrize("value", [Int64(1234567890123), -5, Int64(-(2**63))])
def test_numbers_that_are_no_telephone_or_social_security_number(value):
    assert fake("phone", value) is FAILED
    assert fake("ssn", value) is FAILED


def test_npis_have_a_check_digit_that_no_provider_has():
    assert luhn_check_digit("80840123456789") == 3
    for number in range(300):
        result = fake("npi", f"{1234567890 + number}")
        assert re.fullmatch(r"1\d{9}", result)
        assert luhn_check_digit(f"80840{result[:9]}") != int(result[9])
    assert fake("npi", 1234567893) == int(fake("npi", "1234567893"))


def test_electronic_addresses_are_those_set_aside_for_documentation():
    networks = [ipaddress.ip_network(f"{net}.0/24") for net in ("192.0.2", "198.51.100", "203.0.113")]
    for number in range(300):
        address = ipaddress.ip_address(fake("ip", f"10.0.0.{number}"))
        assert any(address in network for network in networks)
        assert ipaddress.ip_address(fake("ip", f"fe80::{number}")) in ipaddress.ip_network("2001:db8::/32")
        assert re.fullmatch(
            r"[a-z]+\.[a-z]+\.\w{9}@example\.(com|net|org)", fake("email", f"ada{number}@mail.com")
        )
        assert re.fullmatch(r"https://example\.(com|net|org)/\w{13}", fake("url", f"https://ada.io/{number}"))
        assert re.fullmatch(r"[a-z]+\.\w{11}", fake("username", f"ada{number}"))
    assert fake("ip", "192.0.2.1", key=b"k") != "192.0.2.1"


@pytest.mark.parametrize("kind", [kind for kind, entry in KINDS.items() if entry.probable])
def test_what_is_called_probable_does_not_meet(kind):
    assert Fake({"kind": kind}, KEY).uniqueness == "probable"
    assert len(set(fake(kind, *(f"value {number}" for number in range(5000))))) == 5000


def test_states_keep_being_two_letters_or_a_name():
    assert len(fake("state", "MA")) == 2
    assert fake("state", "ma").islower()
    assert fake("state", "Massachusetts") in dictionaries().states


@every_kind
def test_numbers_are_taken_by_those_kinds_only_that_are_numbers(kind):
    masker = Fake({"kind": kind}, KEY)
    if "int" in masker.types:
        assert kind in {"phone", "fax", "ssn", "npi", "credit_card", *SHAPED}
        assert type(mask(masker, 2015551234)[0]) is int or kind in ("ssn", "credit_card")
    else:
        assert mask(masker, 2015551234, Int64(2015551234)) == [FAILED, FAILED]


def test_a_small_cache_changes_nothing():
    values = [f"Ada{number} Lovelace{number % 7}" for number in range(500)] * 2
    small = mask(Fake({"kind": "full_name", "cache": 2000}, KEY), *values)
    assert small == mask(Fake({"kind": "full_name", "cache": 0}, KEY), *values) == fake("full_name", *values)


def test_dictionaries_hold_plain_words_in_order():
    words = dictionaries()
    for choices in (
        words.first_names,
        words.last_names,
        words.states,
        words.state_codes,
        words.city_suffixes,
    ):
        assert list(choices) == sorted(set(choices))
        assert len(choices) > 10
    assert all(name.isalpha() and name.istitle() for name in words.first_names)
