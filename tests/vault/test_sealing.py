"""Sealed pieces open in their own place and nowhere else; the data key only under its masking key."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from vault_samples import KEY, OTHER_KEY, RUN

from phimask.errors import VaultError
from phimask.masking.keys import MaskingKey
from phimask.vault.sealing import DataKey, DoesNotOpen, Part, Segment, WrappedKey

PART = Part("ehr.people", 3, 2, 0)
PIECE = b"Quillfeather" * 9


@pytest.fixture
def key() -> DataKey:
    return DataKey.generate(RUN)


@pytest.fixture
def sealed(key: DataKey) -> Segment:
    return key.seal(PART, 7, 5, 1, True, PIECE)


def test_opens_where_it_was_sealed(key: DataKey, sealed: Segment) -> None:
    assert key.open(PART, sealed) == PIECE
    assert b"Quill" not in sealed.sealed


@pytest.mark.parametrize(
    "part",
    [
        Part("ehr.people2", 3, 2, 0),
        Part("ehr.people", 2, 2, 0),
        Part("ehr.people", 3, 3, 0),
        Part("ehr.people", 3, 2, 1),
    ],
)
def test_does_not_open_in_another_part(key: DataKey, sealed: Segment, part: Part) -> None:
    with pytest.raises(DoesNotOpen):
        key.open(part, sealed)


@pytest.mark.parametrize("change", [{"position": 6}, {"batch": 6}, {"sequence": 0}, {"last": False}])
def test_does_not_open_in_another_place(key: DataKey, sealed: Segment, change: dict[str, int]) -> None:
    with pytest.raises(DoesNotOpen):
        key.open(PART, replace(sealed, **change))


def test_does_not_open_in_another_run(key: DataKey, sealed: Segment) -> None:
    twin = DataKey("another", key._material)
    with pytest.raises(DoesNotOpen):
        twin.open(PART, sealed)


def test_every_flipped_byte_is_noticed(key: DataKey, sealed: Segment) -> None:
    for at in range(len(sealed.sealed)):
        flipped = bytearray(sealed.sealed)
        flipped[at] ^= 1
        with pytest.raises(DoesNotOpen):
            key.open(PART, replace(sealed, sealed=bytes(flipped)))
    for length in range(len(sealed.sealed)):
        with pytest.raises(DoesNotOpen):
            key.open(PART, replace(sealed, sealed=sealed.sealed[:length]))


def test_the_same_piece_is_never_sealed_alike(key: DataKey, sealed: Segment) -> None:
    again = key.seal(PART, 7, 5, 1, True, PIECE)
    assert again.sealed[:12] != sealed.sealed[:12]
    assert again.sealed[12:] != sealed.sealed[12:]


def test_the_data_key_comes_back(key: DataKey, sealed: Segment) -> None:
    stored = key.wrap(KEY)
    assert key._material not in stored.wrapped
    assert DataKey.unwrap(stored, RUN, KEY, "the vault").open(PART, sealed) == PIECE


@pytest.mark.parametrize(
    ("change", "masking_key", "run", "said"),
    [
        ({}, OTHER_KEY, RUN, f"sealed under the masking key with the fingerprint {KEY.fingerprint}"),
        ({"format": 2}, KEY, RUN, "is of format 2"),
        ({"key_fingerprint": OTHER_KEY.fingerprint}, OTHER_KEY, RUN, "was tampered with"),
        ({}, KEY, "another", "was tampered with"),
        ({"wrapped": b""}, KEY, RUN, "was tampered with"),
        ({"wrapped": bytes(60)}, KEY, RUN, "was tampered with"),
    ],
)
def test_what_does_not_unwrap(
    key: DataKey, change: dict[str, Any], masking_key: MaskingKey, run: str, said: str
) -> None:
    stored = replace(key.wrap(KEY), **change)
    with pytest.raises(VaultError, match=re.escape(said)):
        DataKey.unwrap(stored, run, masking_key, "the vault")


def test_nothing_secret_is_shown(key: DataKey) -> None:
    assert repr(key) == "DataKey(***)"
    assert "wrapped" not in repr(key.wrap(KEY))
    assert isinstance(key.wrap(KEY), WrappedKey)
    assert VaultError.exit_code == 2
