"""fake's options, kind by kind: what is kept, checked, told apart, and from which words it is made."""

from __future__ import annotations

import datetime
import gc
import itertools
import re
import tracemalloc

import pytest
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from hypothesis import given, settings
from hypothesis import strategies as st
from masker_cases import KEY, OTHER_KEY, mask

from effort import examples
from phimask import FAILED
from phimask_plugins.maskers.fake import KINDS, Fake
from phimask_plugins.maskers.faking import checked
from phimask_plugins.maskers.faking.dictionaries import dictionaries
from phimask_plugins.maskers.faking.permutation import moved
from phimask_plugins.maskers.keyed import KeyedHash

SHAPED = [kind for kind, entry in KINDS.items() if entry.shaped]


def fake(kind: str, *values, key: bytes = KEY, **options):
    results = mask(Fake({"kind": kind, **options}, key), *values)
    return results[0] if len(values) == 1 else results


def test_there_are_more_than_thirty_kinds_in_order():
    assert len(KINDS) > 40
    assert list(KINDS) == sorted(KINDS)


@pytest.mark.parametrize(
    ("kind", "value", "form"),
    [
        ("secondary_address", "Suite 210", r"Suite \d+"),
        ("secondary_address", "apt. 4b", r"apt\. \d+"),
        ("secondary_address", "#12", r"#\d+"),
        ("secondary_address", "P.O. Box 77", r"P\.O\. Box \d+"),
        ("secondary_address", "c/o Ada Lovelace", r"Apt\. \d+"),
        ("county", "Suffolk County", r"[A-Z]\w+ County"),
        ("county", "Orleans Parish", r"[A-Z]\w+ Parish"),
        ("county", "Suffolk", r"[A-Z]\w+"),
        ("country", "France", r"(?!France).{4,}"),
        ("country_code", "FR", r"[A-Z]{2}"),
        ("country_code", "FRA", r"[A-Z]{3}"),
        ("country_code", "fr", r"[a-z]{2}"),
        ("state_code", "MA", r"[A-Z]{2}"),
        ("state_code", "Massachusetts", r"[A-Z]{2}"),
        ("name_prefix", "Mrs.", r"(Mr|Dr|Ms|Miss|Mx)\.?"),
        ("name_suffix", "Jr.", r"\S+"),
        ("initials", "A.L.", r"[A-Z]\.[A-Z]\."),
        ("initials", "al", r"[a-z]{2}"),
        ("initials", "A-L, B", r"[A-Z]-[A-Z], [A-Z]"),
        ("job", "Nurse", r".{3,}"),
        ("fax", "(617) 555-1234", r"\([2-9]\d\d\) 555-01\d\d"),
        ("mac", "3C:22:FB:11:3a:b7", r"00:00:5e:00:53:[0-9a-f]{2}"),
        ("mac", "3C-22-FB-11-3A-B7", r"00-00-5E-00-53-[0-9A-F]{2}"),
        ("mac", "3c22.fb11.3ab7", r"0000\.5e00\.53[0-9a-f]{2}"),
        ("mac", "3c22fb113ab7", r"00005e0053[0-9a-f]{2}"),
        ("mac", "none", r"00:00:5e:00:53:[0-9a-f]{2}"),
        ("ipv6", "10.0.0.1", r"2001:db8:[0-9a-f:]+"),
        ("dea", "AB1234563", r"[ABFGM][A-Z]\d{7}"),
        ("dea", "none", r"[abfgm][a-z]\d{7}"),
        ("mbi", "1EG4-TE5-MK73", r"[1-9][SLOIBZ][AC-HJKMNP-RT-Y0-9]\d-[AC-HJKMNP-RT-Y]\w\d-[A-Y]{2}\d{2}"),
        ("mbi", "1EG4TE5MK73", r"[1-9][SLOIBZ]\w\d[A-Y]\w\d[A-Y]{2}\d{2}"),
        ("vin", "1M8GDM9AXKP042788", r"[A-HJ-NPR-Z0-9]{8}[0-9X][A-HJ-NPR-Z0-9]{8}"),
        ("credit_card", "4111-1111-1111-1111", r"9999-\d{4}-\d{4}-\d{4}"),
        ("credit_card", "3782 822463 10005", r"9999 \d{6} \d{5}"),
        ("credit_card", "no card", r"9999\d{12}"),
        ("iban", "DE89 3704 0044 0532 0130 00", r"DE\d\d \d{4} \d{4} \d{4} \d{4} \d\d"),
        ("iban", "gb82west12345698765432", r"gb\d\d[a-z]{4}\d{14}"),
        ("iban", "my account", r"gb\d\d [a-z]{4} \d{4} \d{4} \d{4} \d\d"),
        ("license_plate", "7ABC123", r"\d[A-Z]{3}\d{3}"),
        ("device_id", "(01)00844588003288(21)AB9", r"\(\d\d\)\d{14}\(\d\d\)[A-Z]{2}\d"),
        ("passport", "C01X00T47", r"[A-Z]\d\d[A-Z]\d\d[A-Z]\d\d"),
        ("latitude", "42.3601", r"(2[5-9]|[34]\d)\.\d{4}"),
        ("longitude", "-71.05", r"-(6[7-9]|[7-9]\d|1[012]\d)\.\d\d"),
        ("latitude", "42° 21' N", r"\d\d\.\d{6}"),
        ("date_of_birth", "1815-12-10", r"(19[5-9]|20[01])\d-\d\d-\d\d"),
        ("date_of_birth", "12/10/1815", r"\d\d/\d\d/\d{4}"),
        ("date_of_birth", "1815-12-10T23:59:00-05:00", r"\d{4}-\d\d-\d\dT00:00:00-05:00"),
    ],
)  # fmt: skip
def test_forms(kind, value, form):
    for number in range(1, 40):
        result = fake(kind, value, key=bytes([number]) * 32)
        assert re.fullmatch(form, result, re.ASCII)
        assert result.casefold() != value.casefold()


def test_one_value_has_one_fake_however_it_is_written():
    for kind, forms in {
        "credit_card": [
            "4111-1111-1111-1111",
            "4111 1111 1111 1111",
            "4111111111111111",
            Int64(4111111111111111),
        ],
        "mbi": ["1EG4-TE5-MK73", "1EG4TE5MK73"],
        "iban": ["DE89 3704 0044 0532 0130 00", "DE89370400440532013000"],
        "mac": ["3C:22:FB:11:3A:B7", "3C-22-FB-11-3A-B7", "3C22.FB11.3AB7", "3c:22:fb:11:3a:b7"],
        "date_of_birth": ["1815-12-10", "18151210"],
    }.items():
        plain = {re.sub(r"[^0-9a-z]", "", str(result).lower()) for result in fake(kind, *forms)}
        assert len(plain) == 1
    assert fake("maiden_name", "Lovelace") == fake("last_name", "Lovelace")
    assert fake("middle_name", "Ada") == fake("first_name", "Ada")
    assert fake("fax", "617-555-1234") == fake("phone", "617-555-1234")
    assert fake("initials", "B.") == fake("first_name", "B.")
    born = datetime.datetime(1815, 12, 10, 5)  # noqa: DTZ001  (BSON's dates are naive)
    assert fake("date_of_birth", born).isoformat() == fake("date_of_birth", "1815-12-10") + "T00:00:00"


def luhn(digits: str) -> bool:
    return checked.luhn_check_digit(digits[:-1]) == int(digits[-1])


RULES = {
    "npi": lambda fake: luhn(f"80840{fake}"),
    "dea": lambda fake: checked.dea_check_digit(fake[2:8]) == fake[8],
    "mbi": lambda fake: fake[1] in "ACDEFGHJKMNPQRTUVWXY",
    "vin": lambda fake: checked.vin_check_digit(fake) == fake[8],
    "credit_card": luhn,
    "iban": lambda fake: int("".join(str(int(char, 36)) for char in fake[4:] + fake[:4])) % 97 == 1,
}


def test_the_rules_themselves_know_published_numbers():
    for kind, number in {
        "npi": "1234567893", "dea": "AP5836727", "mbi": "1EG4TE5MK73", "vin": "1M8GDM9AXKP042788",
        "credit_card": "4111111111111111", "iban": "GB82WEST12345698765432",
    }.items():  # fmt: skip
        assert RULES[kind](number)
    assert set(RULES) == {kind for kind, entry in KINDS.items() if entry.checked}


@pytest.mark.parametrize("kind", RULES)
def test_check_digits_are_wrong_unless_asked_for(kind):
    values = [f"value {number}" for number in range(300)]
    assert not any(RULES[kind](result.replace(" ", "").upper()) for result in fake(kind, *values))
    results = fake(kind, *values, check="valid")
    assert all(RULES[kind](result.replace(" ", "").upper()) for result in results)
    assert len(set(results)) > 290


@pytest.mark.parametrize("kind", [kind for kind, entry in KINDS.items() if not entry.checked])
def test_a_kind_without_a_rule_has_nothing_to_check(kind):
    with pytest.raises(ValueError, match=f"nothing to check in a {kind}"):
        Fake({"kind": kind, "check": "valid"}, KEY)


def test_gender_is_kept_where_the_name_has_one():
    words = dictionaries()
    female = sorted(set(words.first_names_female) - set(words.first_names_male))
    male = sorted(set(words.first_names_male) - set(words.first_names_female))
    both = sorted(set(words.first_names_male) & set(words.first_names_female))
    assert set(fake("first_name", *female, keep=["gender"])) <= set(words.first_names_female)
    assert set(fake("middle_name", *male, keep=["gender"])) <= set(words.first_names_male)
    assert set(fake("first_name", *female)) - set(words.first_names_female)
    for ambiguous in (both, [f"Xa{number}" for number in range(300)]):
        drawn = set(fake("first_name", *ambiguous, keep=["gender"]))
        assert not drawn <= set(words.first_names_female)
        assert not drawn <= set(words.first_names_male)
    full = fake("full_name", *(f"{name} Lovelace" for name in male), keep=["gender"])
    assert {name.split()[0] for name in full} <= set(words.first_names_male)
    assert fake("name_prefix", "Mrs.", keep=["gender"]) in words.name_prefixes_female
    russian = dictionaries("ru_RU")
    surnames = fake("last_name", *russian.last_names_female, locale="ru_RU", keep=["gender"])
    assert set(surnames) <= set(russian.last_names_female)


@pytest.mark.parametrize("kind", [kind for kind, entry in KINDS.items() if "length" in entry.keeps])
def test_length_is_kept_approximately_if_asked(kind):
    values = fake(kind, *(f"value {number}" for number in range(200)), key=OTHER_KEY)

    def apart(fakes):
        return sum(abs(len(value) - len(result)) for value, result in zip(values, fakes, strict=True)) / 200

    assert apart(fake(kind, *values, keep=["length"])) < apart(fake(kind, *values)) / 2
    if kind in ("first_name", "last_name", "city"):
        assert apart(fake(kind, *values, keep=["length"])) < 0.5


def test_the_domain_is_kept_if_asked_and_if_there_is_one():
    kept = fake("email", "ada@Mail.Example.edu", "no address", "ada@", "ada@bad domain", "@", keep=["domain"])
    assert kept[0].endswith("@mail.example.edu")
    assert "ada" not in kept[0]
    assert all(re.search(r"@example\.(com|net|org)$", result) for result in kept[1:])


def test_what_a_kind_cannot_keep_is_said():
    with pytest.raises(ValueError, match=r"a fake ssn cannot keep its original's length; it keeps nothing"):
        Fake({"kind": "ssn", "keep": ["length"]}, KEY)
    with pytest.raises(ValueError, match=r"first_name cannot keep .* domain; it keeps gender, length"):
        Fake({"kind": "first_name", "keep": ["domain", "gender"]}, KEY)


def test_locales_have_their_own_words():
    german = dictionaries("de_DE")
    assert fake("first_name", "Ada", locale="de_DE") in german.first_names
    assert fake("city", "London", locale="de_DE") in german.cities
    assert re.fullmatch(r".* \d+", fake("street", "12 Main Street", locale="de_DE"))
    assert re.fullmatch(
        r"\d+ (rue|avenue|boulevard|chemin) .*", fake("street", "1 Main Street", locale="fr_FR")
    )
    assert fake("first_name", "Ada", locale="ja_JP") in dictionaries("ja_JP").first_names
    # Faker has places of Canada and no people: these are its default's.
    assert fake("first_name", "Ada", locale="en_CA") == fake("first_name", "Ada")
    assert fake("state_code", "MA", locale="en_CA") in dictionaries("en_CA").state_codes
    assert "John" not in dictionaries("de_LI").first_names


@pytest.mark.parametrize("locale", ["xx_XX", "de", "en-US", "../etc", "", "person", "e" * 5000])
def test_a_locale_that_faker_does_not_have(locale):
    with pytest.raises(ValueError, match="Faker has no locale"):
        Fake({"kind": "first_name", "locale": locale}, KEY)


def test_a_locale_without_the_kinds_words():
    with pytest.raises(ValueError, match="Faker has no state codes for the locale de_DE; take en_US"):
        Fake({"kind": "state_code", "locale": "de_DE"}, KEY)


@pytest.mark.parametrize("kind", SHAPED)
def test_unique_identifiers_are_never_shared_nor_kept(kind):
    masker = Fake({"kind": kind, "unique": True}, KEY)
    assert masker.uniqueness == "injective"
    values = [f"{number:05}" for number in range(0, 100_000, 23)]
    values += [f"A{letter}-{number:02}" for letter in "xyZ" for number in range(100)]
    results = mask(masker, *values)
    assert len(set(results)) == len(values)
    assert all(one != other and len(one) == len(other) for one, other in zip(values, results, strict=True))


def test_short_strings_are_permuted_among_themselves():
    masker = Fake({"kind": "mrn", "unique": True}, KEY)
    texts = ["".join(text) for length in (1, 2, 3) for text in itertools.product("0189-aB ", repeat=length)]
    pairs = [
        (text, fake) for text, fake in zip(texts, mask(masker, *texts), strict=True) if fake is not FAILED
    ]
    assert len({fake for _, fake in pairs}) == len(pairs) > 500
    assert all(text != fake for text, fake in pairs)
    digits = [f"{number:03}" for number in range(1000)]
    assert sorted(mask(masker, *digits)) == digits
    assert sorted(mask(masker, *range(1000))) == list(range(1000))
    assert sorted(mask(masker, *range(-999, 0))) == list(range(-999, 0))


def test_unique_numbers_keep_type_and_digits_and_agree_with_strings():
    masker = Fake({"kind": "mrn", "unique": True}, KEY)
    bounds = [
        0,
        9,
        10,
        2**31 - 1,
        -(2**31),
        10**9,
        Int64(2**31),
        Int64(2**63 - 1),
        Int64(-(2**63)),
        Int64(10**18),
    ]
    for number in bounds:
        (result,) = mask(masker, number)
        assert type(result) is type(number)
        assert result != number
        assert len(str(int(result))) == len(str(int(number)))
        assert mask(masker, str(int(number))) == [str(int(result))]
        assert mask(masker, Int64(int(number))) == [int(result)]


@pytest.mark.parametrize(
    "value", ["é1", "\u0661", "\uff11", "tab\t1", "---", "-0", "x" * 257, "\ud800", "🩺1"]
)
def test_what_a_permutation_cannot_tell_apart_fails(value):
    assert fake("mrn", value, unique=True) is FAILED


@given(st.text("0123456789abcXYZ -/", min_size=1, max_size=40))
@settings(deadline=None, max_examples=examples(60))
def test_unique_identifiers_keep_every_characters_class(value):
    result = fake("account", value, unique=True)
    if result is FAILED:
        assert not re.search(r"[1-9A-Za-z]|0.*0|[^-0]0|0[^-0]", value)
        return
    assert re.sub(r"[0-9]", "0", re.sub(r"[a-z]", "a", re.sub(r"[A-Z]", "A", result))) == re.sub(
        r"[0-9]", "0", re.sub(r"[a-z]", "a", re.sub(r"[A-Z]", "A", value))
    )


@pytest.mark.parametrize("bound", [2, 3, 7, 10, 26, 100, 1000, 2657])
def test_a_permutation_takes_every_place_once_and_leaves_nothing(bound):
    keyed = KeyedHash(KEY)
    places = [moved(keyed, "test", number, bound) for number in range(bound)]
    assert sorted(places) == list(range(bound))
    assert all(place != number for number, place in enumerate(places))
    if bound > 3:
        assert places != [moved(KeyedHash(OTHER_KEY), "test", number, bound) for number in range(bound)]
        assert places != [moved(keyed, "other", number, bound) for number in range(bound)]
    assert moved(keyed, "test", 0, 1) is None


@given(st.integers(2, 10**300), st.data())
@settings(deadline=None, max_examples=50)
def test_a_permutation_of_any_size_stays_below_its_bound(bound, data):
    number = data.draw(st.integers(0, bound - 1))
    place = moved(KeyedHash(KEY), "test", number, bound)
    assert 0 <= place < bound
    assert place != number


@pytest.mark.parametrize("kind", [kind for kind, entry in KINDS.items() if not entry.shaped])
def test_unique_is_refused_where_fakes_are_few(kind):
    if KINDS[kind].probable:
        assert Fake({"kind": kind, "unique": True}, KEY).uniqueness == "probable"
    else:
        with pytest.raises(ValueError, match=f"fewer safe fakes of kind {kind}"):
            Fake({"kind": kind, "unique": True}, KEY)


def test_coordinates_keep_type_and_decimals():
    for kind, low, high in (("latitude", 25, 49), ("longitude", -124, -67)):
        values = [42.3601, -0.5, 1e-9, Decimal128("42.36010"), Decimal128("4E+1"), 71.0, "7", 1e300]
        results = fake(kind, *values)
        assert [type(result) for result in results] == [type(value) for value in values]
        assert all(low <= float(str(result)) <= high for result in results)
        assert len(str(results[3]).partition(".")[2]) == 5
        odd = [float("nan"), float("inf"), Decimal128("NaN"), Decimal128("-Infinity")]
        assert fake(kind, *odd) == [FAILED] * 4


@given(st.integers(-(2**63), 2**63 - 1))
def test_birth_dates_of_any_year_become_dates(milliseconds):
    (result,) = mask(Fake({"kind": "date_of_birth"}, KEY), DatetimeMS(milliseconds))
    assert type(result) is datetime.datetime
    assert 1950 <= result.year < 2020


def test_birth_dates_that_are_none_fail():
    assert fake("date_of_birth", "unknown", "1815", "2015-02-30", 7, "x" * 5000) == [FAILED] * 5


GOLDEN = {
    "account": ("e3b0c44298fc", "Hta Oabssarr"),
    "city": ("9294cb5fe7d7", "East Payneborough"),
    "country": ("1e35d0eb5ef7", "United States Minor Outlying Islands"),
    "country_code": ("aa2164c81387", "SD"),
    "county": ("e6261ef18678", "Kidd"),
    "credit_card": ("e3b0c44298fc", "9999530436717497"),
    "date_of_birth": ("e3b0c44298fc", "1984-04-09"),
    "dea": ("e3b0c44298fc", "GG8518527"),
    "device_id": ("e3b0c44298fc", "Vao Bsycvbes"),
    "driver_license": ("e3b0c44298fc", "Utd Hgclethn"),
    "email": ("e9bdf7d9e6cf", "mckenzie.coleman.8qtph6zqx@example.com"),
    "fax": ("e3b0c44298fc", "423-555-0171"),
    "first_name": ("e56f6564e9a9", "Norman Mackenzie"),
    "full_name": ("4d2a1ccec6c4", "Norman Bush"),
    "health_plan_id": ("e3b0c44298fc", "Fal Bbnmeztq"),
    "iban": ("e3b0c44298fc", "GB93 WOCZ 0836 6982 0608 54"),
    "initials": ("e3b0c44298fc", "N.Z."),
    "ip": ("e3b0c44298fc", "203.0.113.91"),
    "ipv6": ("e3b0c44298fc", "2001:db8:dbe9:67fe:c420:7f21:a554:a730"),
    "job": ("5d5afbbe3154", "Special educational needs teacher"),
    "last_name": ("724d719d837b", "Hendrix"),
    "latitude": ("e3b0c44298fc", "26.087126"),
    "license_plate": ("e3b0c44298fc", "Wps Zocdxovt"),
    "longitude": ("e3b0c44298fc", "-120.813846"),
    "mac": ("e3b0c44298fc", "00:00:5e:00:53:b5"),
    "maiden_name": ("724d719d837b", "Hendrix"),
    "mbi": ("e3b0c44298fc", "2Z25JM3FC94"),
    "middle_name": ("e56f6564e9a9", "Norman Mackenzie"),
    "mrn": ("e3b0c44298fc", "Kfp Juwggjhj"),
    "name_prefix": ("4a68bff28c68", "Dr."),
    "name_suffix": ("1eb2279e166b", "DDS"),
    "npi": ("e3b0c44298fc", "1896292374"),
    "organization": ("94c4ee10618d", "Davis Ltd"),
    "passport": ("e3b0c44298fc", "Sey Buxgkqqh"),
    "phone": ("e3b0c44298fc", "423-555-0171"),
    "postcode": ("e3b0c44298fc", "Rfj Swbzjpmm"),
    "secondary_address": ("e3b0c44298fc", "Apt. 689"),
    "ssn": ("e3b0c44298fc", "962-41-1269"),
    "state": ("def1660d32d1", "Wyoming"),
    "state_code": ("2a1de50c15f5", "IL"),
    "street": ("387c09be37fd", "8020 Klein Union"),
    "url": ("e3b0c44298fc", "https://example.org/78y2y6d3t9w2q"),
    "username": ("0737085bc927", "bishop.d6z9vrq87r7"),
    "vin": ("e3b0c44298fc", "010P22DB9VHX90HMU"),
}
"""By kind: the words it is made of, as a digest's first digits, and what becomes of one value under one key."""


@pytest.mark.parametrize("kind", KINDS)
def test_words_and_fakes_are_those_of_other_installations(kind):
    """A Faker with other words, or another way to draw, breaks the link to what is masked already: on purpose only."""
    value = "1815-12-10" if kind == "date_of_birth" else "A.L." if kind == "initials" else "Ada Lovelace"
    assert (Fake({"kind": kind}, KEY).vocabulary[:12], fake(kind, value)) == GOLDEN[kind]


def test_the_vocabulary_is_the_locales():
    def vocabulary(kind, **options):
        return Fake({"kind": kind, **options}, KEY).vocabulary

    assert re.fullmatch(r"[0-9a-f]{64}", vocabulary("first_name"))
    assert vocabulary("first_name") != vocabulary("first_name", locale="de_DE")
    assert vocabulary("first_name") != vocabulary("last_name")
    assert vocabulary("email") == vocabulary("email", locale="de_DE")
    assert vocabulary("first_name") == vocabulary("middle_name")


@pytest.mark.parametrize("limit", [pytest.param(500_000, marks=pytest.mark.soak), 4_000_000])
def test_the_caches_of_all_rules_together_stay_within_their_bytes(limit):
    maskers = [
        Fake({"kind": kind, "cache": limit}, KEY) for kind in ("mrn", "account", "device_id", "postcode")
    ]
    for masker in maskers:
        mask(masker, "A1")
    values = [f"AB{number:07}" for number in range(6000)]
    gc.collect()
    tracemalloc.start()
    try:
        for start in range(0, len(values), 500):
            for masker in maskers:
                mask(masker, *values[start : start + 500])
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < limit + 200_000
    assert peak < limit * 1.25 + 600_000
    if limit < 1_000_000:
        assert held > limit / 8
