"""refresh_uid: new identifiers of the old kind and form."""

from __future__ import annotations

import re
import uuid

import pytest
from bson.binary import Binary
from bson.objectid import ObjectId
from hypothesis import given
from hypothesis import strategies as st
from masker_cases import KEY, OTHER_KEY, mask, texts

from phimask import FAILED
from phimask_plugins.maskers import RefreshUid

uuids = st.uuids()
oids = st.lists(st.integers(0, 10**6), min_size=2, max_size=6).map(
    lambda arcs: ".".join(map(str, (1, *arcs)))
)


@given(uuids)
def test_a_uuid_has_one_successor_however_it_is_spelt(old):
    forms = [
        str(old),
        str(old).upper(),
        old.hex,
        f"{{{old}}}",
        f"urn:uuid:{old}",
        f"URN:UUID:{str(old).upper()}",
        Binary(old.bytes, 4),
    ]
    new = uuid.UUID(mask(RefreshUid({}, KEY), str(old))[0])
    assert new != old
    assert (new.version, new.variant) == (4, uuid.RFC_4122)
    upper = str(new).upper() if str(old).upper() != str(old) else str(new)
    assert mask(RefreshUid({}, KEY), *forms) == [
        str(new),
        upper,
        new.hex,
        f"{{{new}}}",
        f"urn:uuid:{new}",
        f"URN:UUID:{upper}",
        Binary(new.bytes, 4),
    ]
    assert uuid.UUID(mask(RefreshUid({}, OTHER_KEY), str(old))[0]) != new


def test_a_uuid_of_the_old_subtype_keeps_it():
    (result,) = mask(RefreshUid({}, KEY), Binary(b"\1" * 16, 3))
    assert (type(result), result.subtype, len(result)) == (Binary, 3, 16)


@given(st.binary(min_size=12, max_size=12).map(ObjectId))
def test_an_object_id_has_one_successor_as_bytes_and_as_text(old):
    new, lower, upper = mask(RefreshUid({}, KEY), old, str(old), str(old).upper())
    assert type(new) is ObjectId
    assert new != old
    assert lower == str(new)
    assert upper.lower() == str(new)
    (timed,) = mask(RefreshUid({"keep_time": True}, KEY), old)
    assert timed.binary[:4] == old.binary[:4]
    assert timed.binary[4:] != old.binary[4:]


def test_the_time_is_gone_unless_it_is_to_stay():
    old = [ObjectId(f"65000000aaaaaaaaaa{number:06x}") for number in range(300)]
    assert len({new.binary[:4] for new in mask(RefreshUid({}, KEY), *old)}) == 300
    assert {new.binary[:4].hex() for new in mask(RefreshUid({"keep_time": True}, KEY), *old)} == {"65000000"}


@given(oids)
def test_an_oid_becomes_a_uid_made_of_a_uuid(old):
    new, urn = mask(RefreshUid({}, KEY), old, f"urn:oid:{old}")
    assert urn == f"urn:oid:{new}"
    # PS3.5, 9.1: components without leading zeros, 64 characters at most; B.2: the root and the integer of a UUID.
    assert re.fullmatch(r"2\.25\.[1-9][0-9]{0,38}", new)
    assert uuid.UUID(int=int(new.removeprefix("2.25."))).version == 4
    assert new != old


@pytest.mark.parametrize(
    "value",
    [
        "1.2",
        "98.6",
        "192.0.2.77",
        "1.2.03",
        "1..2",
        "1.2.",
        "1.2.840\n",
        "1." + "2." * 31 + "3333",
        "urn:oid:",
        "urn:uuid:",
        "0a1b2c3d",
        "0a1b2c3d-0000-1000-8000000000000000",
        "{0a1b2c3d-0000-1000-8000-000000000000",
        "0a1b2c3d-0000-1000-8000-000000000000}",
        "urn:uuid:0a1b2c3d-0000-1000-8000-000000000000}",
        "0a1b2c3d-0000-1000-8000-00000000000g",
        "\uff10a1b2c3d-0000-1000-8000-000000000000",
        "Patient/0a1b2c3d-0000-1000-8000-000000000000",
        "0123456789abcdef0123456",
        "\u017f" * 24,
        "🩺",
        "\ud800",
        " " * 5,
        b"\1" * 16,
        Binary(b"\1" * 15, 4),
        Binary(b"\1" * 16, 5),
        17,
    ],
)
def test_anything_else_fails(value):
    assert mask(RefreshUid({}, KEY), value) == [FAILED]


@given(texts)
def test_no_text_passes(value):
    assert value == "" or mask(RefreshUid({}, KEY), value) != [value]


def test_the_kinds_do_not_share_their_draws():
    same_bytes = bytes(range(12))
    (new,) = mask(RefreshUid({}, KEY), ObjectId(same_bytes))
    (other,) = mask(RefreshUid({}, KEY), Binary(same_bytes + b"\0" * 4, 4))
    assert bytes(other)[:4] != new.binary[:4]
