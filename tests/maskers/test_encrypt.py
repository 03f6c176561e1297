"""encrypt and decrypt: every value comes back as what it was, under the right key and no other."""

from __future__ import annotations

import base64
import datetime
from collections.abc import Sequence
from typing import Any

import bson
import pytest
from bson.binary import Binary
from bson.code import Code
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.objectid import ObjectId
from bson.regex import Regex
from bson.timestamp import Timestamp
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given, settings
from hypothesis import strategies as st
from masker_cases import KEY, ODD_VALUES, OTHER_KEY, mask, same, scalars

from phimask import FAILED, KeyMaterialError
from phimask.testing import check_masker
from phimask_plugins.maskers.decrypt import Decrypt
from phimask_plugins.maskers.encrypt import Encrypt
from phimask_plugins.maskers.sealing import packed, subkey, unpacked

MODES = ("siv", "gcm")
OUTPUTS = ("string", "binData")
every_form = pytest.mark.parametrize(
    "options",
    [{"mode": mode, "output": output} for mode in MODES for output in OUTPUTS],
    ids=lambda one: "-".join(one.values()),
)
LOSSLESS: CodecOptions[Any] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_AUTO)


def stored(value: Any) -> Any:
    """As a server gives it back: dates have milliseconds and no more, for one."""
    return bson.decode(bson.encode({"": value}), LOSSLESS)[""]


def holds(value: Any) -> bool:
    try:
        bson.encode({"": value})
    except Exception:  # noqa: BLE001  (PyMongo raises several)
        return False
    return True


@pytest.mark.parametrize("output", OUTPUTS)
def test_the_kit_on_siv(output):
    check_masker(Encrypt, {"mode": "siv", "output": output})


def opened(*values: Any, older_keys: Sequence[bytes] = ()) -> list[Any]:
    """What decrypt makes of values among which its key opens one."""
    good = mask(Encrypt({}, KEY), "good")
    return mask(Decrypt({}, KEY, older_keys), *good, *values)[1:]


def test_the_kit_on_decrypt():
    sealed = [
        *mask(Encrypt({"mode": "siv"}, KEY), "Ada", 7, Int64(7), True),
        *mask(Encrypt({"mode": "gcm", "output": "binData"}, KEY), "Ada", 1.5),
    ]
    check_masker(Decrypt, {}, sealed)


@every_form
@settings(deadline=None, max_examples=80)
@given(value=scalars)
def test_every_value_comes_back_as_what_it_was(options, value):
    (sealed,) = mask(Encrypt(options, KEY), value)
    if not holds(value):
        assert sealed is FAILED
        return
    assert type(sealed) is (str if options["output"] == "string" else bytes)
    (back,) = mask(Decrypt({}, KEY), stored(sealed))
    assert same(back, stored(value))


@every_form
def test_odd_values_and_code_with_a_scope(options):
    values = [value for value in ODD_VALUES if holds(value)]
    values += [Code("return n", {"n": "Ada", "m": Int64(1)}), "x" * 10_000_000, Binary(b"x" * 1_000_000, 3)]
    for value, back in zip(
        values, mask(Decrypt({}, KEY), *mask(Encrypt(options, KEY), *values)), strict=True
    ):
        assert same(back, stored(value))


def test_equal_values_look_equal_under_siv_alone():
    for mode, expected in (("siv", 1), ("gcm", 3)):
        first = mask(Encrypt({"mode": mode}, KEY), "Ada", "Ada")
        assert len({*first, *mask(Encrypt({"mode": mode}, KEY), "Ada")}) == expected


def test_what_is_easily_taken_for_one_another_is_sealed_apart():
    values = [
        1, Int64(1), 1.0, Decimal128("1"), Decimal128("1.0"), True, "1", b"1", Binary(b"1", 5), Regex("1"), Code("1"),
        "", " ", "\0", 0.0, -0.0, Timestamp(1, 0), ObjectId(b"1" * 12),
        datetime.datetime(1970, 1, 1, 0, 0, 0, 1000),  # noqa: DTZ001  (BSON dates decode to naive UTC)
    ]  # fmt: skip
    assert len(set(mask(Encrypt({}, KEY), *values))) == len(values)


def test_the_form_is_the_documented_one():
    """Opened by hand: RFC 5297 and SP 800-38D over type byte and value bytes, the header as associated data."""
    plain = bson.encode({"": "Ada"})
    plain = plain[4:5] + plain[6:-1]
    (siv,) = mask(Encrypt({}, KEY), "Ada")
    head, body = siv[:14], siv[14:]
    assert head == "phimask:siv:1:"
    assert "=" not in body
    keys = HKDFExpand(SHA256(), 64, b"phimask/encrypt/siv").derive(KEY)
    sealed = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    assert AESSIV(keys).decrypt(sealed, [b"phimask:siv:1:"]) == plain
    (gcm,) = mask(Encrypt({"mode": "gcm", "output": "binData"}, KEY), "Ada")
    assert gcm[:14] == b"phimask:gcm:1:"
    key = HKDFExpand(SHA256(), 32, b"phimask/encrypt/gcm").derive(KEY)
    assert AESGCM(key).decrypt(gcm[14:26], gcm[26:], b"phimask:gcm:1:") == plain
    assert "Ada" not in siv
    assert b"Ada" not in gcm


def test_what_an_earlier_release_sealed_is_opened():
    assert mask(Decrypt({}, KEY), "phimask:siv:1:gKGXiOBpoU0ZuofFXlWWIbMo7p4yD8Sruw") == ["Ada"]


@every_form
def test_the_wrong_key_opens_nothing_and_an_older_one_what_it_sealed(options):
    values = ["Ada", 7, 1.5]
    sealed = mask(Encrypt(options, OTHER_KEY), *values)
    assert opened(*sealed) == [FAILED] * 3
    assert opened(*sealed, older_keys=(b"\7" * 32,)) == [FAILED] * 3
    assert mask(Decrypt({}, KEY, older_keys=(b"\7" * 32, OTHER_KEY)), *sealed) == values
    assert mask(Decrypt({}, KEY, (OTHER_KEY,)), *mask(Encrypt(options, KEY), *values)) == values


@every_form
@settings(deadline=None, max_examples=80)
@given(place=st.integers(0), change=st.integers(1, 255))
def test_a_change_anywhere_is_noticed(options, place, change):
    (sealed,) = mask(Encrypt(options, KEY), "Ada Lovelace")
    place %= len(sealed)
    if isinstance(sealed, str):
        changed: Any = sealed[:place] + chr((ord(sealed[place]) + change) % 256) + sealed[place + 1 :]
    else:
        changed = sealed[:place] + bytes([sealed[place] ^ change]) + sealed[place + 1 :]
    assert opened(changed, sealed[:-1], sealed[:place]) == [FAILED] * 3
    longer = sealed + ("A" if isinstance(sealed, str) else b"A")
    assert opened(longer) == [FAILED]


def test_siv_and_gcm_are_not_taken_for_each_other():
    (siv,) = mask(Encrypt({"mode": "siv"}, KEY), "Ada")
    assert opened(siv.replace("siv", "gcm"), siv.replace(":1:", ":2:")) == [FAILED] * 2


@pytest.mark.parametrize("value", [value for value in ODD_VALUES if isinstance(value, str | bytes)], ids=repr)
def test_what_encrypt_did_not_make_fails(value):
    if len(value) < 100:
        value = value if isinstance(value, str) else bytes(value)
    assert opened(value) == [FAILED]


@pytest.mark.parametrize(
    "text",
    [
        "phimask:siv:1:",
        "phimask:siv:1:AAAA",
        "phimask:gcm:1:",
        "phimask:gcm:1:A",
        "phimask:gcm:1:" + "A" * 8,
        "phimask:siv:1:é",
    ],
)
def test_a_header_alone_is_nothing(text):
    assert opened(text, text.encode()) == [FAILED, FAILED]


def test_ten_megabytes_that_look_sealed():
    assert opened("phimask:siv:1:" + "A" * 10_000_000) == [FAILED]


@pytest.mark.parametrize("cls", [Encrypt, Decrypt])
def test_without_a_key_nothing(cls):
    with pytest.raises(ValueError, match="needs a masking key"):
        mask(cls({}), "Ada")


def test_decrypt_has_encrypts_key_unless_told():
    assert Decrypt.default_domain == Encrypt.name


def test_what_is_produced_is_the_output_asked_for():
    assert Encrypt({}, KEY).produces == {"string"}
    assert Encrypt({"output": "binData"}, KEY).produces == {"binData"}


def test_keys_for_two_purposes_differ():
    assert subkey(KEY, "a") != subkey(KEY, "b")
    assert subkey(KEY, "a", 64)[:32] == subkey(KEY, "a")


@given(scalars.filter(holds))
def test_packing_is_the_element_of_a_bson_document(value):
    document = bson.encode({"": value})
    assert packed(value) == document[4:5] + document[6:-1]
    assert same(unpacked(packed(value)), stored(value))


@pytest.mark.parametrize(
    "data",
    [b"", b"\3\5\0\0\0\0", b"\x02", b"\x02\1\0\0\0", b"\x10\0", b"\x0a", b"\xff", b"\x02\xff\xff\xff\xff\0"],
)
def test_bytes_that_are_no_packed_value(data):
    with pytest.raises(ValueError, match="no packed value"):
        unpacked(data)


@pytest.mark.parametrize("options", [{}, {"mode": "gcm"}, {"output": "binData"}])
def test_another_key_ends_the_run_before_anything_is_redacted(options):
    sealed = mask(Encrypt(options, OTHER_KEY), "Zxqulon", 7)
    with pytest.raises(KeyMaterialError, match=r"at Some\.Path opens under none of the keys") as raised:
        mask(Decrypt({}, KEY, (b"\7" * 32,)), *sealed, "never encrypted")
    assert "Zxqulon" not in str(raised.value)
    assert raised.value.__cause__ is raised.value.__context__ is None


def test_what_was_never_encrypted_says_nothing_of_the_key():
    assert mask(Decrypt({}, KEY), "Ada", "phimask:siv:9:AAAA", b"\0") == [FAILED] * 3


def test_once_a_key_has_opened_something_it_is_the_one():
    decrypt = Decrypt({}, KEY)
    assert mask(decrypt, *mask(Encrypt({}, KEY), "Ada")) == ["Ada"]
    assert mask(decrypt, *mask(Encrypt({}, OTHER_KEY), "Ada")) == [FAILED]
