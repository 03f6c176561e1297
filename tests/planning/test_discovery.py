"""What `discover` finds in documents, and the collection file that it drafts from that."""

from __future__ import annotations

import datetime
import re
from pathlib import Path
from typing import Any

import bson
import pytest

from phimask.config.collection import load_collection
from phimask.config.paths import format_path
from phimask.masking.automaton import NO_RULE
from phimask.planning.discovery import Discovery, discover
from phimask.planning.draft import Draft, as_yaml, draft
from phimask.plugins.loading import load_registry

REGISTRY = load_registry()
DETECTORS = REGISTRY.usual_detectors()

DAY = datetime.datetime(2020, 5, 1, tzinfo=datetime.timezone.utc)


def found_in(*documents: dict[str, Any]) -> Discovery:
    return discover(
        [bson.encode({"_id": number, **one}) for number, one in enumerate(documents)], [], DETECTORS
    )


def drafted(*documents: dict[str, Any]) -> Draft:
    return draft(found_in(*documents), ())


def maskers(of: Draft) -> dict[str, Any]:
    return {format_path(one.field.path): one.masker for one in of.proposals if one.sure}


@pytest.mark.parametrize(
    ("key", "values", "hipaa", "masker"),
    [
        ("Contact", ["ann@example.org", "bob@example.net"], "F", {"name": "fake", "options": {"kind": "email"}}),
        ("Nr", ["123-45-6789", "234-56-7891"], "G", {"name": "fake", "options": {"kind": "ssn"}}),
        ("MRN", ["MR4711", "MR4712"], "H", {"name": "fake", "options": {"kind": "mrn"}}),
        ("Medical_Record_Number", [4711234, 4711235], "H", {"name": "fake", "options": {"kind": "mrn"}}),
        ("LastName", ["Garcia", "Miller"], "A", {"name": "fake", "options": {"kind": "last_name"}}),
        ("Seen", ["2020-05-01", "2021-06-02"], "C", {"name": "date_truncate", "options": {"to": "year"}}),
        ("At", [DAY], "C", {"name": "date_truncate", "options": {"to": "year"}}),
        ("Remark", ["Patient called from 212-555-0143 and asked for results of the test."] * 2, "text", "free_text"),
    ],
)  # fmt: skip
def test_fields_are_known_by_their_values_and_names(
    key: str, values: list[Any], hipaa: str, masker: Any
) -> None:
    of = drafted(*({"A": [{key: value}]} for value in values))
    (one,) = of.proposals
    assert (format_path(one.field.path), one.hipaa, one.masker) == (f"A.{key}", hipaa, masker)


def test_what_nothing_is_found_in_is_listed_and_nulls_and_ids_are_not() -> None:
    of = drafted({"Unit": "mg", "Value": 1.5, "Gone": None})
    assert not of.proposals
    assert [format_path(one.path) for one in of.rest] == ["Unit", "Value"]


def test_the_subject_is_a_field_that_all_documents_have() -> None:
    some = drafted({"PatientId": "p1", "Seen": "2020-05-01"}, {"Seen": "2021-06-02"})
    assert some.subject is None
    every = drafted(
        {"P": {"patient_id": "p1"}, "Seen": "2020-05-01"}, {"P": {"patient_id": 2}, "Seen": "2021-06-02"}
    )
    assert every.subject == ("P", "patient_id")
    assert maskers(every)["Seen"] == {"name": "date_shift", "options": {"max_days": 180}}
    assert "P.patient_id" in maskers(every)


def test_keys_that_are_data_are_put_together_and_told() -> None:
    found = found_in(
        {"Visits": {"2020-05-01": {"Doctor": "Anna Garcia"}, "2021-06-02": {"Doctor": "Bob Miller"}}},
        {"Many": {f"key{number}": {"Mail": "ann@example.org"} for number in range(200)}},
        {"People": {"Maria Garcia": {"Age": 50}, "John Miller": {"Age": 60}, "Other": {"Age": 70}}},
        {"Ward": {"Name": "Intensive care", "Head": "x", "City": "y"}},
        {"Charts": {"chart47113x": {"Mail": "ann@example.org"}, "other": {"Mail": "ann@example.org"}}},
    )
    assert found.keys == {
        ("Visits",): {"DATE"}, ("Many",): set(), ("People",): {"NAME"}, ("Charts",): set(),
    }  # fmt: skip
    text = as_yaml("c", None, found, draft(found, ()))
    assert '{path: "Visits.*.Doctor", hipaa: A' in text
    assert '{path: "Many.*.Mail", hipaa: F' in text
    assert '{path: "Charts.*.Mail", hipaa: F' in text
    assert "47113" not in text
    assert "2020" not in text
    assert "Garcia" not in text
    assert "key7" not in text


def test_many_names_of_fields_are_no_data() -> None:
    kinds = {f"name{number}": [number, str(number), {"x": number}][number % 3] for number in range(100)}
    assert not found_in({"Resource": kinds}, {"Resource": kinds}).keys
    rare = [
        {"Resource": {f"name{number}": [number, "x", {"x": number}][number % 3]}} for number in range(100)
    ]
    assert found_in(*rare).keys == {("Resource",): set()}


def test_few_values_among_many_are_no_rule_yet() -> None:
    of = drafted(*({"Status": "212-555-0143" if number == 5 else "done"} for number in range(100)))
    (one,) = of.proposals
    assert not one.sure
    assert "  # - {path: Status" in as_yaml("c", None, found_in({}), of)


def test_rules_there_are_already_cover_their_fields() -> None:
    found = discover(
        [bson.encode({"_id": 1, "Mail": "ann@example.org", "Other": {"Mail": "bob@example.org"}})],
        [("Mail",), ("Elsewhere",)],
        DETECTORS,
    )
    assert [(format_path(one.path), one.rule) for one in found.fields] == [
        ("_id", NO_RULE), ("Mail", 0), ("Other.Mail", NO_RULE),
    ]  # fmt: skip


def test_an_id_that_looks_like_phi_is_told() -> None:
    found = discover([bson.encode({"_id": "ann@example.org"})], [], DETECTORS)
    text = as_yaml("c", None, found, draft(found, ()))
    assert "Values of _id look like EMAIL" in text
    assert "ann" not in text


def test_bytes_that_are_no_document_are_counted() -> None:
    found = discover([b"\x05\0\0\0\1", bson.encode({"_id": 1})], [], DETECTORS)
    assert (found.documents, found.unreadable) == (1, 1)


ODD = ["a.b", "with space", '"quoted"', "back\\slash", "12", "*", "", "\N{SNOWMAN}", "\U0001f600", "\x85\x7f\u2028",
       "# no comment", "a: b", "}{", "null", "Yes", "new\nline", "$dollar", "${HOME}", "-"]  # fmt: skip


def test_any_key_and_any_name_make_a_file_that_can_be_read(tmp_path: Path) -> None:
    document = {key: {"Mail": "ann@example.org"} for key in ODD} | {"Note": dict.fromkeys(ODD, "x")}
    found = found_in(document, document)
    of = draft(found, ())
    for name in ["container", *(key for key in ODD if key and "$" not in key)]:
        text = as_yaml(name, "hipaa-person" if name == "container" else None, found, of)
        path = tmp_path / "drafted.yaml"
        path.write_text(text, encoding="utf-8")
        file = load_collection(str(path), directory=tmp_path, environ={}, components=REGISTRY)
        assert file.collection == name
        own = [rule.segments for rule in file.rules if rule.origin.file == str(path)]
        assert own == [(key, "Mail") for key in ODD]


def test_no_value_is_in_a_draft(tmp_path: Path) -> None:
    canaries = ["Quxlyworth", "212-555-0143", "quxly@example.org", "987-65-4320", "1961-03-04"]
    note = "Seen Mrs. Quxlyworth on 1961-03-04, call 212-555-0143 or quxly@example.org, SSN 987-65-4320, thank you."
    found = found_in(*({"Name": one, "Patient": {"Nr": one, "Note": note}} for one in canaries))
    text = as_yaml("c", None, found, draft(found, ()))
    assert not re.search("|".join(map(re.escape, canaries)), text)
    assert "Patient.Note" in text
