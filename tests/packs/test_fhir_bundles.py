"""The FHIR pack on synthetic patients of a generator that knows nothing of it, through a real MongoDB.

Thirty Bundles, or every so many of them, as `effort` says, as they are and taken apart into one document a resource,
masked in place and into a target.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from faker.providers.address.en_US import Provider as AddressWords
from fhir_coverage import measure
from fhir_leaks import BUNDLES, clinical, found_in, resources, tokens
from pack_masking import leaves
from pymongo import MongoClient
from pymongo.database import Database

from effort import examples
from phimask.cli.main import run
from phimask.log import close_log
from phimask.masking.keys import MaskingKey

pytestmark = pytest.mark.skipif(not BUNDLES.exists(), reason="the public FHIR test data are not there")

COLLECTION = "version: 1\ncollection: {name}\nextends: [fhir-r4]\n"
NAMES = ("bundles", "resources")
EACH = max(1, round(30 / examples(30)))
"""Every so many of the Bundles are taken: all of them, or some from everywhere."""
SOURCE, TARGET = "fhir_pack_test", "fhir_pack_test_masked"
Documents = dict[str, list[dict[str, Any]]]
Run = tuple[dict[str, Any], Documents]

GENERIC = frozenset(
    {word.lower() for word in (*AddressWords.street_suffixes, *AddressWords.city_prefixes)}
    | {"hospital", "medical", "suite", "unit", "town", "centre", "middle", "main"}
)
"""Words of addresses that say nobody's: a street is an alley or a glen, a town east of something, and a clinical term
"Inpatient Hospital"."""


@pytest.fixture(scope="module")
def originals() -> Documents:
    """Both forms of the Bundles, by collection."""
    with BUNDLES.open(encoding="utf-8") as lines:
        bundles = [json.loads(line) for line in islice(lines, None, None, EACH)]
    single = [resource for bundle in bundles for resource in resources(bundle)]
    return {
        "bundles": [{"_id": number, **bundle} for number, bundle in enumerate(bundles)],
        "resources": [{"_id": number, **resource} for number, resource in enumerate(single)],
    }


@pytest.fixture(scope="module")
def project(
    originals: Documents,
    client: MongoClient[dict[str, Any]],
    mongo_uri: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Path]:
    """A folder with both collection files, and the documents in a database."""
    folder = tmp_path_factory.mktemp("fhir")
    (folder / "collections").mkdir()
    for name in NAMES:
        (folder / "collections" / f"{name}.yaml").write_text(COLLECTION.format(name=name), encoding="utf-8")
        client[SOURCE][name].insert_many(originals[name])
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("PHIMASK_URI", mongo_uri)
        patch.setenv("PHIMASK_KEY", MaskingKey(bytes(range(32))).text())
        yield folder
    close_log()
    for database in (SOURCE, TARGET):
        client.drop_database(database)


def masked(project: Path, place: Database[dict[str, Any]], *flags: str) -> Run:
    """The report of a run, and the documents that it left."""
    report = project / f"{place.name}.json"
    arguments = ["--profile", "production", "-d", SOURCE, "-c", "bundles", "-c", "resources"]
    arguments += ["--set", "canary=null"]  # which would stop it on a machine that is busy
    arguments += ["--set", "executor=inline"]  # starting processes takes longer than the masking
    arguments += ["--accept", "unmapped-phi"]  # names of clinical terms that look like people's
    assert run([*arguments, *flags, "--report", str(report)]) == 0
    return json.loads(report.read_text(encoding="utf-8")), {
        name: list(place[name].find().sort("_id")) for name in NAMES
    }


@pytest.fixture(scope="module")
def target(project: Path, client: MongoClient[dict[str, Any]]) -> Run:
    """Of a run into a target."""
    return masked(project, client[TARGET], "--target-db", TARGET)


@pytest.fixture(scope="module")
def in_place(target: Run, project: Path, client: MongoClient[dict[str, Any]]) -> Run:
    """Of one in place after it, with the same key. What is in its documents is found by comparing them with the
    target's, in which every validator has looked."""
    few = "validators=[count, structure, no_original, untouched]"
    return masked(project, client[SOURCE], "--yes", "--set", few)


ways = pytest.mark.parametrize("way", ["target", "in_place"])
names = pytest.mark.parametrize("name", NAMES)


@ways
def test_the_run_is_verified_and_complete(
    way: str, originals: Documents, request: pytest.FixtureRequest
) -> None:
    report, documents = request.getfixturevalue(way)
    assert report["status"] == "completed"
    for one in report["collections"]:
        assert all(result["ok"] for result in one["verification"])
        name = one["namespace"].rpartition(".")[2]
        assert one["documents"]["masked"] == len(documents[name]) == len(originals[name])


@names
def test_both_ways_make_the_same_documents(name: str, target: Run, in_place: Run) -> None:
    assert target[1][name] == in_place[1][name]


def test_reports_and_logs_hold_nothing_of_anybody(target: Run, in_place: Run, originals: Documents) -> None:
    told = json.dumps([target[0], in_place[0]]).lower()
    patients = [one for one in originals["resources"] if one["resourceType"] == "Patient"]
    assert patients
    for patient in patients:
        for identifier in patient["identifier"]:
            assert identifier["value"].lower() not in told
        assert patient["birthDate"] not in told


@names
def test_nothing_that_identifies_anybody_is_left(name: str, target: Run, originals: Documents) -> None:
    searched = coincidences = 0
    for before, after in zip(originals[name], target[1][name], strict=True):
        wanted = tokens(before) - GENERIC
        if not wanted:
            continue
        searched += len(wanted)
        was = {(leaf.place, str(leaf.value).lower()) for leaf in leaves(before)}
        held = dict(was)
        for place, token in found_in(after, wanted):
            # A fake may happen to be somebody else's name; what was in the very value before has not been masked.
            assert token not in held[place], place
            coincidences += 1
    assert searched > 1500 / EACH
    print(f"\n{name}: {searched} tokens searched for, {coincidences} fakes that are somebody else's word")


@names
def test_clinical_codes_and_values_are_unchanged(name: str, target: Run, originals: Documents) -> None:
    seen = 0
    for before, after in zip(originals[name], target[1][name], strict=True):
        kept = clinical(before)
        seen += len(kept)
        assert kept == clinical(after)
    assert seen > 40_000 / EACH


def ids_and_references(documents: list[dict[str, Any]]) -> tuple[list[str], list[str], list[str]]:
    """Ids of resources, the ids that references point to, the ids of full URLs; in order."""
    ids: list[str] = []
    pointed: list[str] = []
    full: list[str] = []
    for document in documents:
        ids += [resource["id"] for resource in resources(document)]
        full += [entry["fullUrl"].rpartition(":")[2] for entry in document.get("entry", ())]
        pointed += [
            leaf.value.rpartition(":")[2]
            for leaf in leaves(document)
            if leaf.path.endswith(".reference") and leaf.value.startswith("urn:uuid:")
        ]
    return ids, pointed, full


@names
def test_every_link_holds_and_no_id_is_left(name: str, target: Run, originals: Documents) -> None:
    before, after = ids_and_references(originals[name]), ids_and_references(target[1][name])
    new: Mapping[str, str] = dict(zip(before[0], after[0], strict=True))
    assert len(set(new.values())) == len(new)
    assert [new[one] for one in before[1]] == after[1]
    assert [new[one] for one in before[2]] == after[2]
    assert not set(new) & set(after[0])
    assert len(before[1]) > 10_000 / EACH


def test_a_resource_is_masked_alike_in_a_bundle_and_alone(target: Run) -> None:
    documents = target[1]
    single = [{key: value for key, value in one.items() if key != "_id"} for one in documents["resources"]]
    assert [resource for bundle in documents["bundles"] for resource in resources(bundle)] == single


def test_the_search_for_leaks_finds_every_kind_of_them() -> None:
    patient = {
        "resourceType": "Patient",
        "extension": [{"url": "http://x/patient-mothersMaidenName", "valueString": "Magdalena Delvalle"}],
        "identifier": [{"value": "999-91-5172"}],
        "name": [{"family": "Quagmire", "given": ["Zebulon"]}],
        "telecom": [{"value": "555-655-8611"}],
        "birthDate": "1951-02-03",
        "address": [{"line": ["409 Pagac Alley"], "city": "Quincy", "postalCode": "02169"}],
    }
    wanted = tokens(patient)
    for text in (
        "Ms. DELVALLE", "id 999-91-5172", "zebulon", "quagmire's", "5 pagac st", "at Quincy", "x02169",
        "1951-02-03T04:05", "call 555-655-8611", "409 pagac alley",
    ):  # fmt: skip
        assert found_in({"text": {"div": f"<div>{text}</div>"}}, wanted), text
    assert found_in({"text": {"div": "<div>Care Plan for Wound care</div>"}}, wanted) == []


def test_every_labelled_value_is_masked_and_little_else() -> None:
    coverage = measure()
    assert coverage.missed == {}
    assert coverage.recall == 1
    assert coverage.labelled.total() > 1700
    assert set(coverage.taken) == {"extension.extension.valueString", "extension.valueAddress.state"}
    assert coverage.unchanged > 0.95
