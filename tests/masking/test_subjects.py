"""Whom a masker is told that values belong to: the collection's subject, or the document itself."""

from __future__ import annotations

from typing import Any

import bson
import pytest
from bson.int64 import Int64
from bson.son import SON

from phimask import Column, Masker
from phimask.masking.columns import BoundRule
from phimask.masking.core import MaskingCore
from phimask.masking.outcomes import Masked

pytestmark = pytest.mark.usefixtures("walk")


class Told(Masker):
    """Puts in place of each value what it was told of whose it is."""

    name = "told"
    types = frozenset({"string"})
    needs_subject = True

    def mask(self, column: Column) -> list[Any]:
        return [subject.hex() for subject in column.subjects]


class ToldOfDocument(Told):
    name = "told_of_document"
    per_document = True


def told(
    document: Any, *, raw: bytes | None = None, subject: tuple[str, ...] | None = ("person",)
) -> tuple[str, str]:
    rules = [
        BoundRule(0, "a", ("a",), Told({})),
        BoundRule(1, "b", ("b",), ToldOfDocument({})),
    ]
    core = MaskingCore(rules, subject, "redact")
    (outcome,) = core.mask([bson.encode(document) if raw is None else raw], "whole").outcomes
    assert isinstance(outcome, Masked)
    masked = bson.decode(outcome.bson)
    return masked["a"], masked["b"]


def spliced(document: SON[str, Any]) -> bytes:
    """The same with a key twice, which only the raw walk takes."""
    raw = bson.encode(document)
    twice = b"\x10z\0\1\0\0\0" * 2
    return (len(raw) + len(twice)).to_bytes(4, "little") + raw[4:-1] + twice + b"\0"


@pytest.mark.parametrize("walk", ["decoded", "raw"])
@pytest.mark.parametrize("identity", [1, Int64(1), "x", None, {"k": 1}, bson.ObjectId(b"\1" * 12)])
def test_a_masker_per_document_is_told_of_the_document_whatever_the_subject(identity, walk):
    def both(person, _id=identity):
        document = SON([("_id", _id), ("person", person), ("a", "x"), ("b", "x")])
        return told(document, raw=spliced(document) if walk == "raw" else None)

    ada, grace = both("ada"), both("grace")
    assert ada[0] == b"ada".hex()
    assert grace[0] == b"grace".hex()
    assert ada[1] == grace[1] not in (ada[0], grace[0], "")
    assert both("ada", _id="another")[1] != ada[1]


def test_both_walks_tell_the_same_of_a_document():
    document = SON([("_id", 7), ("person", "ada"), ("a", "x"), ("b", "x")])
    assert told(document) == told(document, raw=spliced(document))
    unnamed = SON([("_id", 7), ("a", "x"), ("b", "x")])
    own = told(unnamed)
    assert own[0] == own[1] == told(document)[1]
    assert told(unnamed, raw=spliced(unnamed), subject=None) == own
