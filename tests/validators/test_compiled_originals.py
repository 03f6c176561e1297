"""The compiled way to remember originals: its fingerprints are BLAKE2b, and it counts what the one in Python counts."""

from __future__ import annotations

import hashlib
import random
import zlib
from dataclasses import replace
from typing import Any

import bson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trial_rules import TILDE, Trial, done, told

from oracle import expected
from phimask import DocumentPair, Wildcard, compiled
from phimask_plugins.validators import Referential, referential

pytestmark = pytest.mark.skipif(
    not compiled.AVAILABLE, reason="phimask was installed without its compiled walks"
)


@given(
    st.binary(min_size=1, max_size=64),
    st.binary(max_size=16),
    st.binary(max_size=400),
    st.binary(max_size=400),
)
@settings(max_examples=150, deadline=None)
def test_fingerprints_are_keyed_blake2b(key: bytes, person: bytes, first: bytes, data: bytes) -> None:
    assert compiled.originals is not None
    begun = compiled.originals.Begun(key, person)
    made = begun.beginning(first, zlib.crc32(first))
    for one, whole in ((begun, data), (made, first + data)):
        assert one.of(data) == hashlib.blake2b(whole, digest_size=8, key=key, person=person).digest()
        assert one.of(data) == one.of(data)
    assert repr(begun) == "Begun(***)"


@pytest.mark.parametrize(("key", "person"), [(b"", b""), (bytes(65), b""), (b"k", bytes(17))])
def test_what_blake2b_cannot_begin_with_is_refused(key: bytes, person: bytes) -> None:
    assert compiled.originals is not None
    with pytest.raises(ValueError, match="a key has"):
        compiled.originals.Begun(key, person)


RULES: list[Trial] = [((Wildcard.ANY_DEPTH, "b"), TILDE), (("a",), TILDE)]


VALUES = [letter * times for letter in "abcdefghij" for times in range(1, 40)]
"""None is twice in a document: which of two pseudonyms is the first is anybody's choice."""


def looked(pairs: list[DocumentPair], scope: tuple[str, ...], *, python: bool) -> Referential:
    alike = ["same", f"same {len(scope)}"]
    facts = tuple(replace(one, same=same, scope=scope) for one, same in zip(told(RULES), alike, strict=True))
    with pytest.MonkeyPatch.context() as patch:
        if python:
            patch.setattr(referential, "originals", None)
        validator = Referential({"most": 1000}, facts, b"key")
        for pair in pairs:
            assert not list(validator.document(pair))
    return validator


@pytest.mark.parametrize("scope", [(), ("s",), ("nowhere", "s")])
@pytest.mark.parametrize("seed", range(4))
def test_both_know_and_count_the_same(scope: tuple[str, ...], seed: int) -> None:
    source = random.Random(seed)
    pairs: list[DocumentPair] = []
    for number in range(120):
        values = source.sample(VALUES, 30)
        listed: list[Any] = [{"b": one} for one in values]
        listed.append({"b": ["5", "[REDACTED]", {"b": "55"}]})
        before = {"_id": number, "s": source.randrange(3), "a": values[0], "x": listed}
        raw = bson.encode(before)
        after = bytearray(expected(raw, done(RULES)))
        for _ in range(source.randrange(3)):  # some become something else, of the same length
            at = after.find(b"~", source.randrange(len(after)))
            if at >= 0:
                after[at] = 0x21
        pairs.append(DocumentPair(raw, bytes(after)))
    mine, others = (looked(pairs, scope, python=python) for python in (False, True))
    assert mine._known == others._known
    assert mine._conflicts == others._conflicts
    assert mine._share == others._share
    assert bool(mine._conflicts) == (
        scope[:1] != ("nowhere",)
    )  # what is its own scope has nothing to differ from
