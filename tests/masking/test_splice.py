"""Cutting bytes out and putting others in leaves everything else where it is, lengths put right."""

from __future__ import annotations

import bson
import pytest

from masking_trials import DEEP, KEEP, NULLIFY, REMOVES, TILDE, Rules, core, told
from oracle import Node, build, expected, parse
from phimask.masking.outcomes import Masked, NeedsWhole, Unchanged


def text(value: bytes) -> bytes:
    return (len(value) + 1).to_bytes(4, "little") + value + b"\0"


NAME = (0x02, b"Name", text(b"Ada"))

ODD: dict[str, list[Node]] = {
    "duplicate": [NAME, (0x02, b"Name", text(b"Bea"))],
    "duplicate of another type": [NAME, (0x10, b"Name", bytes(4))],
    "duplicate sub-document": [(0x03, b"P", [NAME]), (0x03, b"P", [NAME, NAME])],
    "dotted": [(0x02, b"P.Name", text(b"Ada")), NAME],
    "dollar": [(0x02, b"$Name", text(b"Ada")), NAME],
    "operator": [(0x03, b"$set", [NAME])],
    "empty": [(0x02, b"", text(b"Ada")), (0x03, b"P", [(0x02, b"", text(b"Bea"))])],
    "not UTF-8": [(0x02, b"\xff", text(b"Ada")), NAME],
    "inside an array": [(0x04, b"l", [(0x03, b"0", [NAME, NAME]), (0x02, b"1", text(b"Cy"))])],
    "below a dotted key": [(0x03, b"a.b", [(0x04, b"l", [(0x03, b"0", [NAME])])])],
    "array without order": [(0x04, b"l", [(0x02, b"1", text(b"Ada")), (0x02, b"0", text(b"Bea"))])],
    "array with names": [(0x04, b"l", [(0x02, b"Name", text(b"Ada")), (0x03, b"x", [NAME])])],
    "array with one index": [(0x04, b"l", [(0x02, b"0", text(b"Ada")), (0x02, b"0", text(b"Bea"))])],
}

RULES: dict[str, Rules] = {
    "tilde": [((DEEP,), TILDE)],
    "nullify": [((DEEP,), NULLIFY)],
    "remove": [((DEEP,), REMOVES)],
    "remove some": [((DEEP, "Name"), REMOVES)],
    "keep some": [((DEEP,), TILDE), ((DEEP, "Name"), KEEP)],
}


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
@pytest.mark.parametrize("nodes", ODD.values(), ids=ODD)
def test_whole_documents(nodes: list[Node], rules: Rules) -> None:
    raw = build([(0x10, b"_id", bytes(4)), *nodes])
    (outcome,) = core(rules).mask([raw], "whole").outcomes
    masked = raw if isinstance(outcome, Unchanged) else getattr(outcome, "bson", b"")
    assert parse(masked) == parse(expected(raw, told(rules)))


@pytest.mark.parametrize("nodes", ODD.values(), ids=ODD)
def test_what_no_update_can_name_needs_the_whole_document(nodes: list[Node]) -> None:
    raw = build([(0x10, b"_id", bytes(4)), *nodes])
    assert isinstance(core([((DEEP,), TILDE)]).mask([raw], "update").outcomes[0], NeedsWhole)


def test_an_odd_key_elsewhere_leaves_the_update_as_it_is() -> None:
    raw = build([(0x10, b"_id", bytes(4)), NAME, (0x02, b"odd.key", text(b"x")), (0x0E, b"sym", text(b"y"))])
    (outcome,) = core([(("Name",), TILDE)]).mask([raw], "update").outcomes
    assert isinstance(outcome, Masked)
    assert bson.decode(outcome.bson) == {"$set": {"Name": "Ada~"}}


def test_an_update_of_a_spliced_document_names_places_in_arrays() -> None:
    nodes: list[Node] = [
        (0x10, b"_id", bytes(4)),
        (0x0E, b"sym", text(b"y")),
        (
            0x04,
            b"l",
            [(0x10, b"0", bytes(4)), (0x03, b"1", [NAME, (0x02, b"Out", text(b"gone"))]), NAME_AT_2],
        ),
    ]
    rules = [((DEEP, "Name"), TILDE), ((DEEP, "Out"), REMOVES), (("sym",), TILDE)]
    (outcome,) = core(rules).mask([build(nodes)], "update").outcomes
    assert isinstance(outcome, Masked)
    assert parse(outcome.bson) == [
        (
            0x03,
            b"$set",
            [(0x02, b"l.1.Name", text(b"Ada~")), (0x0E, b"sym", text(b"[REDACTED]"))],
        ),
        (0x03, b"$unset", [(0x0A, b"l.1.Out", b"")]),
    ]


NAME_AT_2 = (0x04, b"2", [(0x0A, b"0", b"")])


def test_lengths_around_a_change_are_put_right() -> None:
    inner: Node = (0x02, b"Name", text(b"Ada"))
    for level in range(20):
        inner = (0x04, b"l", [(0x03, b"0", [inner])]) if level % 2 else (0x03, b"d", [inner, inner])
    raw = build([inner])
    (outcome,) = core([((DEEP, "Name"), TILDE)]).mask([raw], "whole").outcomes
    assert isinstance(outcome, Masked)
    assert outcome.bson.count(b"Ada~\0") == 2**10
    assert parse(outcome.bson) == parse(expected(raw, told([((DEEP, "Name"), TILDE)])))
