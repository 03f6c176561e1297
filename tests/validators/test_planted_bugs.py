"""Each way in which masking could go wrong, planted by hand: the validator that should notice does."""

from __future__ import annotations

import json
import struct
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import bson
import pytest
from bson.int64 import Int64
from trial_rules import INITIAL, KEEP, NULLIFY, REMOVE, STUB, TEXT, TILDE, Trial, done, told

from oracle import Node, build, expected, parse
from phimask import DocumentPair, Wildcard
from phimask_plugins.validators import ALL, NoOriginal, Structure, Untouched

CORPUS = Path(__file__).resolve().parents[2] / "../shared/testdata/bson_corpus.jsonl"

UTC = timezone.utc

pytestmark = pytest.mark.usefixtures("walk")

RULES: list[Trial] = [
    (("Patient",), TILDE),
    (("Patient", "Ward"), KEEP),
    (("Patient", "City"), INITIAL),
    (("Visits", "Note"), TILDE),
    (("Visits", "Tags"), TILDE),
    (("Visits", "Code"), TEXT),
    (("Contact",), NULLIFY),
    (("Secret",), REMOVE),
    (("Employer",), STUB),
]


def document(identity: int = 1, name: str = "Ada") -> dict[str, Any]:
    return {
        "_id": identity,
        "Patient": {"Name": name, "Born": "1980-01-02", "Ward": "W", "City": "Bern", "Nick": None},
        "Kind": f"kind {identity}",
        "Visits": [
            {
                "Note": f"{name} came",
                "Tags": ["a", ["b"]],
                "Code": 17,
                "Room": 3,
                "At": datetime(2020, 1, 2, tzinfo=UTC),
            },
            {"Note": "", "Tags": [], "Code": Int64(18), "Room": 4, "At": datetime(2020, 1, 3, tzinfo=UTC)},
        ],
        "Contact": {"Phone": "555-0100"},
        "Secret": {"x": [1]},
        "Employer": {"Name": "ACME"},
        "Odd": Int64(5),
    }


def masked(changed: dict[str, Any] | None = None) -> dict[str, Any]:
    return bson.decode(expected(bson.encode(changed or document()), done(RULES)))


def whats(
    after: dict[str, Any] | bytes | None, before: dict[str, Any] | bytes | None = None
) -> set[tuple[str, str, str | None]]:
    """What is found, as validator, finding and path."""
    old = document() if before is None else before
    pair = DocumentPair(
        old if isinstance(old, bytes) else bson.encode(old),
        after if isinstance(after, bytes | None) else bson.encode(after),
    )
    facts = told(RULES)
    return {
        (cls.name, finding.what, finding.path) for cls in ALL for finding in cls({}, facts).document(pair)
    }


def test_there_is_nothing_to_find_without_a_bug() -> None:
    assert whats(masked()) == set()
    after = masked()
    assert "Secret" not in after
    assert after["Contact"] is None
    assert after["Visits"][0]["Code"] == "#11000000"


ORIGINAL = "a masked path still holds its original"
BYTES = "bytes that no rule masks changed"


@pytest.mark.parametrize(
    ("where", "path"),
    [
        (("Patient", "Name"), "Patient.Name"),
        (("Visits", 0, "Note"), "Visits.Note"),
        (("Visits", 0, "Tags"), "Visits.Tags"),
        (("Employer",), "Employer"),
    ],
)
def test_a_path_skipped(where: tuple[Any, ...], path: str) -> None:
    after, before = masked(), document()
    inside, source = after, before
    for step in where[:-1]:
        inside, source = inside[step], source[step]
    inside[where[-1]] = source[where[-1]]
    assert whats(after) == {("no_original", ORIGINAL, path)}


def test_paths_skipped_that_change_type() -> None:
    after = masked()
    after["Contact"] = document()["Contact"]
    after["Visits"][0]["Code"] = 17
    assert whats(after) == {
        ("no_original", ORIGINAL, "Contact"),
        ("structure", "the type is still object", "Contact"),
        ("no_original", ORIGINAL, "Visits.Code"),
        ("structure", "the type is still int", "Visits.Code"),
    }


def test_nothing_masked_at_all() -> None:
    found = whats(document())
    assert {path for name, _, path in found if name == "no_original"} == {
        "Patient.Name", "Patient.Born", "Visits.Note", "Visits.Tags", "Visits.Code", "Contact", "Secret", "Employer",
    }  # fmt: skip
    assert ("structure", "a field that was to be removed is still there", "Secret") in found


def test_a_value_that_may_stay_is_no_finding() -> None:
    before = document()
    before["Patient"]["City"] = "B"
    assert whats(masked(before), before) == set()


def test_the_wrong_document() -> None:
    first, second = document(1, "Ada"), document(2, "Bob")
    swapped = {**masked(second), "_id": 1}
    assert ("untouched", BYTES, "Kind") in whats(swapped, first)
    assert ("untouched", BYTES, "_id") in whats(masked(second), first)


@pytest.mark.parametrize("value", [7, None, {"x": 1}, ["~Ada"], Int64(1)])
def test_a_masked_value_of_another_type(value: object) -> None:
    after = masked()
    after["Patient"]["Name"] = value
    assert {(name, path) for name, _, path in whats(after)} == {("structure", "Patient.Name")}


def test_a_null_that_was_filled() -> None:
    after = masked()
    after["Patient"]["Nick"] = "~"
    assert ("structure", "the type changed from null to string", "Patient.Nick") in whats(after)


@pytest.mark.parametrize("kinds", [(0x0A, 0x06), (0x06, 0x0A)])
def test_null_and_undefined_stay_what_they_are_under_a_rule(kinds: tuple[int, int]) -> None:
    before, after = (build([(kind, b"Patient", b"")]) for kind in kinds)
    assert whats(before, before) == set()
    assert {name for name, _, _ in whats(after, before)} == {"structure", "untouched"}


def test_a_document_lost_and_one_made_up() -> None:
    facts = told(RULES)
    raw = bson.encode(document())
    for pair, what in (
        (DocumentPair(raw, None), "a document is lost"),
        (DocumentPair(None, raw), "a document is there that was not there before"),
    ):
        assert [finding.what for finding in Untouched({}, facts).document(pair)] == [what]
        assert not list(Structure({}, facts).document(pair))
        assert not list(NoOriginal({}, facts).document(pair))
    assert not list(Untouched({}, facts).document(DocumentPair(None, None)))


def test_a_field_added() -> None:
    for after in ({**masked(), "New": 1}, {"New": 1, **masked()}):
        assert whats(after) == {
            ("structure", "a field was added", "New"),
            ("untouched", "a field was added", "New"),
        }
    after = masked()
    after["Patient"]["Middle"] = "~x"
    assert whats(after) == {("structure", "a field was added", "Patient.Middle")}
    assert ("structure", "a field was added", "Secret") in whats(
        {**masked({"_id": 1}), "Secret": None}, {"_id": 1}
    )


def test_a_field_lost() -> None:
    after = masked()
    del after["Kind"], after["Patient"]["Name"]
    assert whats(after) == {
        ("structure", "a field is lost", "Kind"),
        ("untouched", "a field is lost", "Kind"),
        ("structure", "a field is lost", "Patient.Name"),
    }


def test_an_array_shortened() -> None:
    after = masked()
    after["Visits"].pop()
    assert ("structure", "the length of an array changed", "Visits") in whats(after)
    after = masked()
    after["Visits"][0]["Tags"][1].clear()
    assert whats(after) == {("structure", "the length of an array changed", "Visits.Tags")}


def test_the_order_of_keys_changed() -> None:
    after = masked()
    after["Kind"] = after.pop("Kind")
    assert whats(after) == {
        ("structure", "the order of fields changed", None),
        ("untouched", "the order of fields changed", None),
    }


def with_node(raw: bytes, key: bytes, *nodes: Node) -> bytes:
    """The document with the element at `key` replaced."""
    tree = parse(raw)
    (index,) = (index for index, node in enumerate(tree) if node[1] == key)
    return build([*tree[:index], *nodes, *tree[index + 1 :]])


def text(value: bytes) -> bytes:
    return struct.pack("<i", len(value) + 1) + value + b"\0"


def test_the_second_value_of_a_duplicate_key_unmasked() -> None:
    before = with_node(
        bson.encode(document()), b"Patient", (2, b"Patient", text(b"Ada")), (2, b"Patient", text(b"Bob"))
    )
    after = expected(before, done(RULES))
    assert whats(after, before) == set()
    bad = with_node(
        bson.encode(masked()), b"Patient", (2, b"Patient", text(b"~Ada")), (2, b"Patient", text(b"Bob"))
    )
    assert whats(bad, before) == {("no_original", ORIGINAL, "Patient")}
    lost = with_node(bson.encode(masked()), b"Patient", (2, b"Patient", text(b"~Ada")))
    assert whats(lost, before) == {("structure", "a field is lost", "Patient")}


def test_the_second_value_of_a_duplicate_key_not_removed() -> None:
    before = with_node(
        bson.encode({"Secret": 1, "_id": 1}),
        b"Secret",
        (2, b"Secret", text(b"x")),
        (2, b"Secret", text(b"y")),
    )
    assert whats(bson.encode({"_id": 1}), before) == set()
    assert whats(bson.encode({"Secret": "y", "_id": 1}), before) == {
        ("structure", "a field that was to be removed is still there", "Secret"),
        ("no_original", ORIGINAL, "Secret"),
    }


def test_a_duplicate_key_with_a_value_that_goes_and_a_null_that_stays() -> None:
    regex: Node = (0x0B, b"Secret", b"x\0\0")
    null: Node = (0x0A, b"Secret", b"")
    assert whats(build([null]), build([regex, null])) == set()
    assert whats(build([null]), build([null, regex])) == set()
    assert whats(build([]), build([regex, null])) == {("structure", "a field is lost", "Secret")}


def test_an_int32_turned_int64_outside_of_masked_paths() -> None:
    after = masked()
    after["Visits"][1]["Room"] = Int64(4)
    assert whats(after) == {
        ("structure", "the type changed from int to long", "Visits.Room"),
        ("untouched", BYTES, "Visits.Room"),
    }


def test_an_odd_date_changed() -> None:
    def at(milliseconds: int) -> Node:
        return (0x09, b"Odd", struct.pack("<q", milliseconds))

    before = with_node(bson.encode(document()), b"Odd", at(2**62 + 1))
    assert whats(with_node(bson.encode(masked()), b"Odd", at(2**62 + 1)), before) == set()
    assert whats(with_node(bson.encode(masked()), b"Odd", at(2**62)), before) == {("untouched", BYTES, "Odd")}


def test_a_kept_value_changed() -> None:
    after = masked()
    after["Patient"]["Ward"] = "~W"
    assert whats(after) == {("untouched", BYTES, "Patient.Ward")}


def test_an_id_changed_although_a_rule_covers_everything() -> None:
    facts = told([((Wildcard.ANY_DEPTH,), TILDE)])
    pair = DocumentPair(bson.encode({"_id": "Ada", "a": "x"}), bson.encode({"_id": "~Ada", "a": "~x"}))
    assert [finding.path for finding in Untouched({}, facts).document(pair)] == ["_id"]


def test_the_index_keys_of_an_array_changed() -> None:
    nodes = [(0x10, b"0", bytes(4)), (0x10, b"1", bytes(4))]
    strange = [(0x10, b"0", bytes(4)), (0x10, b"7", bytes(4))]
    before, after = build([(0x04, b"Odd", nodes)]), build([(0x04, b"Odd", strange)])
    assert whats(after, before) == {("untouched", "the index keys of an array changed", "Odd")}
    visits, strange_visits = build([(0x04, b"Visits", nodes)]), build([(0x04, b"Visits", strange)])
    assert whats(strange_visits, visits) == {("untouched", "the index keys of an array changed", "Visits")}


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        ((0x12, struct.pack("<q", 5)), (0x12, struct.pack("<q", 6)), {"untouched"}),
        ((0x12, struct.pack("<q", 5)), (0x09, struct.pack("<q", 5)), {"untouched", "structure"}),
        ((0x03, build([])), (0x04, build([])), {"untouched", "structure"}),
        ((0x0A, b""), (0x06, b""), {"untouched", "structure"}),
        ((0x06, b""), (0x0A, b""), {"untouched", "structure"}),
    ],
)
def test_a_stray_element_among_sub_documents_changed(
    old: tuple[int, bytes], new: tuple[int, bytes], names: set[str]
) -> None:
    def visits(kind: int, value: bytes) -> bytes:
        array = build([(0x03, b"0", build([])), (kind, b"1", value)])
        return build([(0x04, b"Visits", array)])

    assert whats(visits(*old), visits(*old)) == set()
    found = whats(visits(*new), visits(*old))
    assert {name for name, _, _ in found} == names
    assert {path for _, _, path in found} == {"Visits"}


def test_redactions_of_what_could_not_be_masked_are_no_finding() -> None:
    before = document()
    before["Patient"] |= {"Name": 12, "Born": bson.Regex("x"), "Nick": False, "City": bson.Timestamp(1, 2)}
    after = masked(before)
    assert after["Patient"] == {"Name": 0, "Born": None, "Ward": "W", "City": None, "Nick": False}
    assert whats(after, before) == set()
    after["Patient"]["Name"] = 12
    assert whats(after, before) == {("no_original", ORIGINAL, "Patient.Name")}


def test_redactions_of_values_that_a_remover_does_not_take_are_no_finding() -> None:
    before = build([(0x0C, b"Secret", text(b"db.c") + bytes(12))])
    assert whats(build([(0x0A, b"Secret", b"")]), before) == set()
    assert whats(build([]), before) == set()


@pytest.mark.parametrize("broken", [b"", b"\5", b"\5\0\0\0\1", b"\x0c\0\0\0\x10a\0\1\0\0\0"])
def test_a_broken_document_is_a_finding_for_each(broken: bytes) -> None:
    what = "the document is no well-formed BSON"
    found = {(name, what, None) for name in ("structure", "no_original", "untouched")}
    assert whats(broken) == found
    assert whats(document(), broken) == found


def test_a_masked_string_without_its_nul_is_a_finding() -> None:
    before = bson.encode({"Patient": "Ada"})
    after = bson.encode({"Patient": "~Ada"})
    bad = after[:-2] + b"x\0"
    assert whats(after, before) == set()
    assert {name for name, _, _ in whats(bad, before)} == {"structure", "no_original", "untouched"}


def test_the_broken_documents_of_the_corpus_raise_nothing() -> None:
    if not CORPUS.exists():
        pytest.skip("the BSON corpus is not there")
    good = bson.encode(document())
    cases = [json.loads(line) for line in CORPUS.read_text(encoding="utf-8").splitlines()]
    broken = [bytes.fromhex(case["canonical_bson"]) for case in cases if case["kind"] == "decodeError"]
    assert len(broken) > 70
    for raw in broken:
        assert whats(raw, good)
        assert whats(good, raw)


def test_findings_name_no_value() -> None:
    canary = "Canary Zebra"
    before = {
        "_id": canary,
        "Patient": {"Name": canary, canary: canary},
        "M": {canary: canary},
        "Kind": canary,
    }
    other = {"_id": 1, "Patient": {"Name": canary, canary: 1}, "M": {canary: 1}, "Kind": 1, "New": canary}
    found = whats(other, before) | whats(before, before)
    assert len(found) > 5
    assert "Canary" not in str(found)
    assert "Zebra" not in str(found)
