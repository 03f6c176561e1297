"""The masking key: its text form, where it is read from, what is derived from it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phimask.config.model import KeySource
from phimask.errors import KeyMaterialError
from phimask.masking.keys import MaskingKey

MATERIAL = bytes(range(32))


def hkdf(material: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """RFC 5869 written out, as an independent second opinion."""
    extracted = hmac.digest(salt or b"\0" * 32, material, "sha256")
    output = block = b""
    for number in range(1, -(-length // 32) + 1):
        block = hmac.digest(extracted, block + info + bytes([number]), "sha256")
        output += block
    return output[:length]


@pytest.mark.parametrize(
    ("material", "salt", "info", "length", "expected"),
    [
        (
            "0b" * 22,
            "000102030405060708090a0b0c",
            "f0f1f2f3f4f5f6f7f8f9",
            42,
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        ),
        (
            "0b" * 22,
            "",
            "",
            42,
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        ),
    ],
)
def test_the_second_opinion_agrees_with_rfc_5869_appendix_a(material, salt, info, length, expected):
    assert hkdf(bytes.fromhex(material), bytes.fromhex(salt), bytes.fromhex(info), length).hex() == expected


@given(
    st.binary(min_size=32, max_size=32).filter(lambda material: len(set(material)) > 1), st.text(max_size=30)
)
def test_derives_by_hkdf_sha256(material, domain):
    domain = domain.encode("utf-8", "ignore").decode()
    assert MaskingKey(material).derive(domain) == hkdf(material, b"", b"phimask/v1/" + domain.encode(), 32)


def test_domains_and_keys_give_different_keys_and_the_fingerprint_is_in_no_domain():
    key, other = MaskingKey(MATERIAL), MaskingKey(MATERIAL[::-1])
    derived = {key.derive("masker/hash"), key.derive("masker/fake"), other.derive("masker/hash")}
    assert len(derived) == 3
    assert len(key.fingerprint) == 16
    int(key.fingerprint, 16)
    assert key.fingerprint != other.fingerprint
    assert bytes.fromhex(key.fingerprint) not in (key.derive("fingerprint")[:8], MATERIAL[:8])


@given(st.binary(min_size=32, max_size=32).filter(lambda material: len(set(material)) > 1))
def test_the_text_form_reads_back(material):
    key = MaskingKey(material)
    assert MaskingKey.parse(f" {key.text()}\r\n") == key
    assert key.text().startswith("phimask-key-1:")


def test_generated_keys_differ():
    assert len({MaskingKey.generate() for _ in range(20)}) == 20


def test_neither_repr_nor_str_shows_the_key():
    key = MaskingKey(MATERIAL)
    for shown in (repr(key), str(key), f"{key}", repr([key])):
        assert "***" in shown
        assert key.text()[14:30] not in shown
        assert MATERIAL.hex()[:8] not in shown


TEXT = MaskingKey(MATERIAL).text()
BODY = TEXT.removeprefix("phimask-key-1:").partition(".")[0]


def spelt(body: str, material: bytes) -> str:
    check = hashlib.sha256(b"phimask key checksum" + material).hexdigest()[:8]
    return f"phimask-key-1:{body}.{check}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("  \n", "is empty"),
        ("hunter2hunter2hunter2hunter2hunt", "is no masking key"),
        (TEXT.replace("key-1", "key-2"), "is no masking key"),
        (TEXT[:-1], "cut short"),
        (TEXT + "0", "cut short"),
        (TEXT.replace(".", ""), "cut short"),
        (TEXT[:20] + TEXT[21:], "cut short"),
        (TEXT[:20] + ("A" if TEXT[20] != "A" else "B") + TEXT[21:], "checksum does not fit"),
        (TEXT[:20] + "!" + TEXT[21:], "checksum does not fit"),
        (TEXT[:20] + "é" + TEXT[21:], "checksum does not fit"),
        (TEXT[:-1] + "é", "checksum does not fit"),
        (TEXT[:-1] + "\udcff", "checksum does not fit"),
        (TEXT[:20] + "\udcff" + TEXT[21:], "checksum does not fit"),
        (TEXT[:-1] + ("0" if TEXT[-1] != "0" else "1"), "checksum does not fit"),
        (spelt(BODY[:-1] + "9", MATERIAL), "checksum does not fit"),
        (spelt("A" * 43, bytes(32)), "over and over"),
    ],
)
def test_what_is_no_key_is_refused_without_being_shown(text, message):
    with pytest.raises(KeyMaterialError, match=message) as raised:
        MaskingKey.parse(text)
    assert "phimask keygen" in str(raised.value)
    assert raised.value.exit_code == 2
    body = text.strip().removeprefix("phimask-key-1:")
    assert not body or body not in str(raised.value)
    assert BODY[:10] not in str(raised.value)
    assert raised.value.__cause__ is None


def test_every_single_mistyped_character_is_caught():
    start = len("phimask-key-1:")
    for place in range(start, len(TEXT)):
        for typed in "a0Z-":
            if typed != TEXT[place]:
                with pytest.raises(KeyMaterialError):
                    MaskingKey.parse(TEXT[:place] + typed + TEXT[place + 1 :])


@pytest.mark.parametrize("material", [b"", b"short", bytes(31), bytes(33), bytes(32), b"\xff" * 32])
def test_material_must_be_32_bytes_and_not_one_byte_repeated(material):
    with pytest.raises(KeyMaterialError):
        MaskingKey(material)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    file = tmp_path / "phimask.key"
    file.write_text(TEXT + "\n", encoding="ascii")
    file.chmod(0o600)
    return file


def test_loads_from_the_environment_and_from_a_file(key_file):
    expected = MaskingKey(MATERIAL)
    assert MaskingKey.load(KeySource(env="PHIMASK_KEY"), {"PHIMASK_KEY": TEXT}) == expected
    assert MaskingKey.load(KeySource(file=key_file), {}) == expected
    key_file.write_bytes(b"\xef\xbb\xbf" + TEXT.encode() + b"\r\n")
    assert MaskingKey.load(KeySource(file=key_file), {}) == expected


@pytest.mark.parametrize("environ", [{}, {"PHIMASK_KEY": ""}, {"PHIMASK_KEY": "  "}, {"OTHER": TEXT}])
def test_a_missing_variable_is_named_with_the_way_to_a_key(environ):
    with pytest.raises(KeyMaterialError, match=r"PHIMASK_KEY is not set; .*phimask keygen"):
        MaskingKey.load(KeySource(env="PHIMASK_KEY"), environ)


def test_a_bad_variable_is_named_and_its_content_is_not():
    with pytest.raises(KeyMaterialError, match="PHIMASK_KEY") as raised:
        MaskingKey.load(KeySource(env="PHIMASK_KEY"), {"PHIMASK_KEY": "correct-horse"})
    assert "correct-horse" not in str(raised.value)


def test_no_source_at_all_says_how_to_name_one():
    with pytest.raises(KeyMaterialError, match=r"key: \{env: NAME\}"):
        MaskingKey.load(KeySource(), {"PHIMASK_KEY": TEXT})


def test_a_missing_file_and_a_directory_are_named(tmp_path):
    with pytest.raises(KeyMaterialError, match=r"no file .*nowhere"):
        MaskingKey.load(KeySource(file=tmp_path / "nowhere"), {})
    tmp_path.chmod(0o700)
    with pytest.raises(KeyMaterialError, match="cannot be read"):
        MaskingKey.load(KeySource(file=tmp_path), {})


@pytest.mark.parametrize(
    "content", [b"", b"correct-horse", b"\xff\xfe\x00", base64.b64encode(MATERIAL), TEXT.encode() * 100]
)
def test_a_file_with_something_else_is_refused_without_being_shown(key_file, content):
    key_file.write_bytes(content)
    with pytest.raises(KeyMaterialError) as raised:
        MaskingKey.load(KeySource(file=key_file), {})
    assert str(key_file) in str(raised.value)
    assert "correct-horse" not in str(raised.value)
    assert BODY[:10] not in str(raised.value)


@pytest.mark.skipif(os.name != "posix", reason="permission bits mean something on POSIX systems only")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o606, 0o644, 0o777])
def test_a_file_open_to_others_is_refused(key_file, mode):
    key_file.chmod(mode)
    with pytest.raises(KeyMaterialError, match="chmod 600"):
        MaskingKey.load(KeySource(file=key_file), {})
    key_file.chmod(0o400)
    assert MaskingKey.load(KeySource(file=key_file), {}) == MaskingKey(MATERIAL)
