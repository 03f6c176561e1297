from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import bson
import pytest
import yaml
from bson.binary import Binary
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.objectid import ObjectId
from hypothesis import given
from hypothesis import strategies as st
from pymongo.database import Database

from phimask.errors import StoreError, UsageError
from phimask.store.sample import (
    DEFAULT_MIX,
    ID_TYPES,
    load_samples,
    sample_document,
    sample_documents,
)
from phimask.store.sample.vocabulary import vocabulary

COLLECTIONS = Path(__file__).resolve().parents[2] / "profiles" / "collections"

KEPT = {
    "Patient.Address.State",
    "Patient.Gender",
    "Contacts.Relationship",
    "Insurance.Plan",
    "Visits.Type",
    "Visits.Provider.NPI",
    "Visits.Provider.Department",
    "Visits.Vitals.Systolic",
    "Visits.Vitals.Diastolic",
    "Visits.Vitals.Temperature",
    "Visits.Vitals.HeartRates",
    "Visits.Diagnoses.Code",
    "Visits.Diagnoses.Description",
    "Visits.Labs.Code",
    "Visits.Labs.Value",
    "Visits.Labs.Unit",
    "Billing.Amount",
    "Source",
    "Tags",
    "_id",
}


def size_up(value: Any, depth: int = 0) -> tuple[int, int, int]:
    """Fields, depth and array elements of a value."""
    fields = elements = 0
    deepest = depth
    if isinstance(value, dict):
        inner = [size_up(child, depth + 1) for child in value.values()]
        fields = len(value)
    elif isinstance(value, list):
        inner = [size_up(child, depth) for child in value]
        elements = len(value)
    else:
        return 0, depth, 0
    for more_fields, depth_there, more_elements in inner:
        fields += more_fields
        elements += more_elements
        deepest = max(deepest, depth_there)
    return fields, deepest, elements


def class_of(document: Mapping[str, Any]) -> str:
    fields, depth, elements = size_up(document)
    if fields < 50 and depth < 3 and elements < 100:
        return "simple"
    return "medium" if fields <= 200 and depth <= 5 and elements <= 500 else "complex"


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict):
        for key, child in value.items():
            yield from leaves(child, (*path, key))
    elif isinstance(value, list):
        for child in value:
            yield from leaves(child, path)
    elif value is not None:
        yield path, value


@lru_cache
def rules(name: str) -> tuple[tuple[tuple[str, ...], str], ...]:
    text = (COLLECTIONS / f"{name}.yaml").read_text(encoding="utf-8")
    found = []
    for rule in yaml.safe_load(text)["rules"]:
        masker = rule["masker"]
        found.append((tuple(rule["path"].split(".")), masker if isinstance(masker, str) else masker["name"]))
    return tuple(found)


@lru_cache
def masker_of(path: tuple[str, ...]) -> str | None:
    """What container.yaml and its pack say of a path, found the slow and simple way."""
    found = None
    for rule, masker in (*rules("hipaa-person"), *rules("container")):
        if rule == path or (rule[0] == "**" and rule[1:] == path[-len(rule) + 1 :]):
            found = masker
    return found


@pytest.fixture(scope="module")
def documents() -> list[dict[str, Any]]:
    return list(sample_documents(2000, seed=7))


@given(number=st.integers(0, 2**31 - 1), seed=st.integers(-(2**70), 2**70))
def test_number_and_seed_decide_everything(number: int, seed: int) -> None:
    document = sample_document(number, seed, id_types=["mixed"])
    assert document == sample_document(number, seed, id_types=["mixed"])
    assert bson.decode(bson.encode(document)).keys() == document.keys()


def test_a_stretch_of_documents_is_the_same_documents() -> None:
    mix, types = {"simple": 2, "complex": 1}, ["string", "uuid"]
    together = list(sample_documents(50, 3, mix, types))
    assert together == [sample_document(number, 3, mix, types) for number in range(50)]


def test_another_seed_gives_other_people() -> None:
    ours = [document["PatientId"] for document in sample_documents(200, 1)]
    theirs = [document["PatientId"] for document in sample_documents(200, 2)]
    assert not set(ours) & set(theirs)


def test_changing_a_document_changes_no_other() -> None:
    def spoil(value: Any) -> None:
        if isinstance(value, dict):
            for child in value.values():
                spoil(child)
            value.clear()
        elif isinstance(value, list):
            for child in value:
                spoil(child)
            value.clear()

    before = [sample_document(number, 5) for number in range(30)]
    for number in range(30):
        spoil(sample_document(number, 5))
    assert [sample_document(number, 5) for number in range(30)] == before


@pytest.mark.parametrize("name", DEFAULT_MIX)
def test_a_class_keeps_its_bounds(name: str) -> None:
    found = Counter(class_of(document) for document in sample_documents(700, 11, {name: 1}))
    assert found == {name: 700}


def test_medium_documents_are_medium_in_every_way() -> None:
    for document in sample_documents(500, 4, {"medium": 1}):
        fields, depth, elements = size_up(document)
        assert 50 <= fields <= 200
        assert 3 <= depth <= 5
        assert 100 <= elements <= 500


def test_some_complex_documents_are_huge() -> None:
    sizes = sorted(len(bson.encode(document)) for document in sample_documents(400, 4, {"complex": 1}))
    assert sizes[200] < 50_000
    assert 200_000 < sizes[-1] < 1_000_000


def test_the_mix_is_as_asked(documents: list[dict[str, Any]]) -> None:
    found = Counter(map(class_of, documents))
    for name, share in DEFAULT_MIX.items():
        assert found[name] / len(documents) == pytest.approx(share, abs=0.04)


def test_weights_need_not_add_up_to_one() -> None:
    found = Counter(class_of(document) for document in sample_documents(600, 1, {"medium": 30, "simple": 10}))
    assert found.keys() == {"medium", "simple"}
    assert found["medium"] / 600 == pytest.approx(0.75, abs=0.06)


@pytest.mark.parametrize(
    ("mix", "message"),
    [
        ({"easy": 1}, "no such class of sample documents: easy"),
        ({}, "weights"),
        ({"simple": 0}, "weights"),
        ({"simple": -1, "medium": 2}, "weights"),
        ({"simple": float("nan")}, "weights"),
        ({"simple": float("inf")}, "weights"),
    ],
)
def test_a_mix_that_means_nothing(mix: Mapping[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        sample_document(0, 1, mix)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("objectId", ObjectId),
        ("string", str),
        ("int", int),
        ("long", Int64),
        ("double", float),
        ("uuid", Binary),
        ("object", dict),
        ("date", datetime),
    ],
)
def test_id_types(name: str, kind: type) -> None:
    identities = [document["_id"] for document in sample_documents(300, 1, {"simple": 1}, [name])]
    assert {type(identity) for identity in identities} == {kind}
    assert len({bson.encode({"_id": identity}) for identity in identities}) == 300
    if name == "uuid":
        assert {identity.subtype for identity in identities} == {4}
        assert {identity.as_uuid().version for identity in identities} == {4}


def test_mixed_ids_take_turns() -> None:
    identities = [
        document["_id"] for document in sample_documents(2 * len(ID_TYPES), 1, {"simple": 1}, ["mixed"])
    ]
    kinds = [type(identity) for identity in identities]
    assert len(set(kinds)) == len(ID_TYPES)
    assert kinds[: len(ID_TYPES)] == kinds[len(ID_TYPES) :]


@pytest.mark.parametrize("types", [["serial"], ["string", "objectid"], []])
def test_id_types_that_there_are_not(types: list[str]) -> None:
    with pytest.raises(UsageError, match="objectId, string"):
        sample_document(0, 1, id_types=types)


def test_the_oddities_of_real_collections_are_there(documents: list[dict[str, Any]]) -> None:
    patients = [document["Patient"] for document in documents]
    assert any("MiddleName" not in patient for patient in patients)
    assert any(patient.get("MiddleName", "") is None for patient in patients)
    assert any(patient["Phone"] is None for patient in patients)
    assert any(patient.get("Address", "") is None for patient in patients)
    assert any(document["Contacts"] == [] for document in documents)
    assert any(document["Tags"] == [] for document in documents)
    assert {type(patient["MRN"]) for patient in patients} == {str, int}
    written = [patient["DateOfBirthText"] for patient in patients if "DateOfBirthText" in patient]
    assert {len(re.findall("[-/]", text)) for text in written} == {2}
    assert any("-" in text for text in written)
    assert any("/" in text for text in written)
    amounts = {type(bill["Amount"]) for document in documents for bill in document.get("Billing", ())}
    assert amounts == {Decimal128, Int64}
    assert all(
        patient["LastNameLower"] == patient["LastName"].lower()
        for patient in patients
        if "LastNameLower" in patient
    )
    assert any(patient["Age"] > 89 for patient in patients)


def test_notes_repeat_the_names_and_numbers(documents: list[dict[str, Any]]) -> None:
    for document in documents[:300]:
        patient = document["Patient"]
        for visit in document["Visits"]:
            assert f"{patient['FirstName']} {patient['LastName']}" in visit["Note"]
            assert patient["Phone"] is None or patient["Phone"] in visit["Note"]
            assert isinstance(patient["MRN"], int) or patient["MRN"][3:] in visit["Note"]
            assert "Provider" not in visit or visit["Provider"]["Name"] in visit["Note"]


def test_nobody_real_can_be_reached(documents: list[dict[str, Any]]) -> None:
    seen: Counter[str] = Counter()
    for document in documents:
        for path, value in leaves(document):
            name = path[-1]
            if name == "Phone":
                assert re.fullmatch(r"\d{3}-555-01\d\d", value)
            elif name == "SSN":
                assert re.fullmatch(r"9\d\d-\d\d-\d{4}", value)
            elif name == "Email":
                assert value.endswith("@example.com")
            elif name == "NPI":
                assert re.fullmatch(r"9\d{9}", value)
            elif name == "Note":
                assert re.findall(r"\d{3}-\d{3}-\d{4}", value) == re.findall(r"\d{3}-555-01\d\d", value) != []
            else:
                continue
            seen[name] += 1
    assert seen.keys() == {"Phone", "SSN", "Email", "NPI", "Note"}


def test_the_vocabulary_is_the_same_in_every_process() -> None:
    assert vocabulary.__wrapped__() == vocabulary()


def test_every_path_is_masked_or_kept_on_purpose(documents: list[dict[str, Any]]) -> None:
    unmasked = {
        ".".join(path)
        for document in documents
        for path, _ in leaves(document)
        if masker_of(path) in {None, "keep"}
    }
    unmasked = {"_id" if path.startswith("_id") else path for path in unmasked}
    assert unmasked == KEPT


def test_the_default_mix_weighs_what_the_measurements_assume(documents: list[dict[str, Any]]) -> None:
    size = sum(len(bson.encode(document)) for document in documents) / len(documents)
    masked = sum(
        masker_of(path) not in {None, "keep"} for document in documents for path, _ in leaves(document)
    )
    assert 6_000 < size < 8_000
    assert 48 < masked / len(documents) < 62


class TestCollectionFiles:
    def test_the_pack_names_no_collection_and_needs_no_subject(self) -> None:
        pack = yaml.safe_load((COLLECTIONS / "hipaa-person.yaml").read_text(encoding="utf-8"))
        assert pack.keys() == {"version", "rules"}
        assert "date_shift" not in {masker for _, masker in rules("hipaa-person")}

    def test_the_pack_works_at_any_depth(self) -> None:
        assert all(len(path) > 1 and "**" not in path[1:] for path, _ in rules("hipaa-person"))
        assert {path[0] for path, _ in rules("hipaa-person")} == {"**"}

    def test_the_pack_cites_every_letter_of_the_list(self) -> None:
        text = (COLLECTIONS / "hipaa-person.yaml").read_text(encoding="utf-8")
        assert re.findall(r"^  # \(([A-R])\)", text, re.MULTILINE) == list("ABCDEFGHIJKLMNOPQR")

    @pytest.mark.parametrize("name", ["hipaa-person", "container"])
    def test_no_path_has_two_rules(self, name: str) -> None:
        paths = [path for path, _ in rules(name)]
        assert len(paths) == len(set(paths))

    def test_every_rule_of_container_meets_a_field_and_is_explained(
        self, documents: list[dict[str, Any]]
    ) -> None:
        there = {path for document in documents for path, _ in leaves(document)}
        assert {path for path, _ in rules("container")} <= there
        blocks = (COLLECTIONS / "container.yaml").read_text(encoding="utf-8").split("\n\n")
        with_rules = [block for block in blocks if "- {path" in block]
        assert all(block.removeprefix("rules:\n").lstrip().startswith("#") for block in with_rules)


class TestLoading:
    def test_inserts_exactly_the_documents(self, database: Database[dict[str, Any]]) -> None:
        told: list[int] = []
        load_samples(database["container"], 900, 3, id_types=["mixed"], progress=told.append)
        stored = {bson.encode({"": document["_id"]}): document for document in database["container"].find()}
        assert len(stored) == 900
        for expected in sample_documents(900, 3, id_types=["mixed"]):
            assert bson.encode(stored[bson.encode({"": expected["_id"]})]) == bson.encode(expected)
        assert len(told) > 1
        assert told == sorted(set(told))
        assert told[-1] == 900

    def test_none_are_none(self, database: Database[dict[str, Any]]) -> None:
        told: list[int] = []
        load_samples(database["container"], 0, 3, progress=told.append)
        assert told == []
        assert database.list_collection_names() == []

    def test_documents_that_are_there_already_are_refused_without_showing_them(
        self, database: Database[dict[str, Any]]
    ) -> None:
        load_samples(database["container"], 5, 3)
        with pytest.raises(StoreError, match="11000") as caught:
            load_samples(database["container"], 5, 3)
        patient = sample_document(0, 3)["Patient"]
        assert patient["LastName"] not in str(caught.value)
        assert database["container"].count_documents({}) == 5

    def test_a_server_that_refuses_writes_says_so_by_its_code(
        self, database: Database[dict[str, Any]]
    ) -> None:
        database.create_collection("seen", viewOn="container", pipeline=[])
        with pytest.raises(StoreError, match="code 166"):
            load_samples(database["seen"], 5, 3)
