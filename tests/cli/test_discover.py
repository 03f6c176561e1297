"""`phimask discover`: a draft that a run takes, and no value of any document anywhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from phimask.store.sample.loading import load_samples

Phimask = Callable[..., Any]


@pytest.fixture
def samples(deployed: Path, database: Database[dict[str, Any]]) -> Database[dict[str, Any]]:
    load_samples(database["container"], 300, seed=1)
    return database


@pytest.mark.parametrize("pack", ["hipaa-safe-harbor", pytest.param("none", marks=pytest.mark.soak)])
def test_what_is_drafted_can_be_planned_and_run(
    pack: str, samples: Database[dict[str, Any]], phimask: Phimask
) -> None:
    told = phimask(
        "discover", "-d", samples.name, "-c", "container", "--extends", pack, "--out", "drafted.yaml"
    )
    assert told.code == 0, told.err
    assert told.out == ""
    assert f"phimask plan -c drafted.yaml -d {samples.name}\n" in told.err
    assert phimask("collections", "validate", "drafted.yaml").code == 0
    where = (
        "-d",
        samples.name,
        "-c",
        "drafted.yaml",
        "--target-db",
        f"{samples.name}_t",
        "--profile",
        "emergency",
    )
    try:
        planned = phimask("plan", *where, "--json").json
        hazards = {one["id"] for one in planned["collections"][0]["hazards"]}
        assert "unmapped-phi" not in hazards
        assert "unmatched-rule" not in hazards
        masked = phimask("run", *where)
        assert masked.code == 0, masked.err
    finally:
        samples.client.drop_database(f"{samples.name}_t")


def test_no_value_is_told(samples: Database[dict[str, Any]], phimask: Phimask) -> None:
    of_patients = samples["container"].find({}, {"Patient": 1})
    originals = {
        str(one["Patient"].get(key))
        for one in of_patients
        for key in ("FirstName", "LastName", "SSN", "MRN", "Phone", "Email")
        if one["Patient"].get(key)
    }
    for more in ((), ("--json",), ("--extends", "none")):
        told = phimask("discover", "-d", samples.name, "-c", "container", *more)
        words = set((told.out + told.err).replace(",", " ").split())
        assert told.code == 0
        assert not originals & words


def test_answers_in_json(samples: Database[dict[str, Any]], phimask: Phimask) -> None:
    before = samples.command("dbHash")["md5"]
    told = phimask("discover", "-d", samples.name, "-c", "container", "--sample", "200", "--json").json
    assert (told["namespace"], told["sampled"]) == (f"{samples.name}.container", 200)
    assert told["subject"] == "PatientId"
    proposed = {one["path"]: one for one in told["proposed"]}
    assert proposed["Visits.Provider.Name"]["looks_like"] == ["NAME"]
    assert {"path": "Patient.SSN", "masker": "fake", "rule": "**.SSN"} in told["covered"]
    assert {"path": "Patient.Gender", "types": ["string"]} in told["rest"]
    assert told["draft"].startswith("# container, drafted by")
    assert samples.command("dbHash")["md5"] == before


def test_a_file_that_is_there_is_kept(samples: Database[dict[str, Any]], phimask: Phimask) -> None:
    told = phimask("discover", "-d", samples.name, "-c", "container", "--out", "collections/people.yaml")
    assert told.code == 2
    assert "people.yaml is there already" in told.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("-c", "nothing"), "has no document that can be read"),
        (("-c", "container", "--extends", "hippa-person"), "hipaa-person"),
        (("-c", "$bad"), "cannot name a collection"),
        (("-c", "a..b"), "cannot name a collection"),
        ((), "Missing option '--collection'"),
    ],
)
def test_what_cannot_be_is_said(
    arguments: tuple[str, ...],
    said: str,
    deployed: Path,
    database: Database[dict[str, Any]],
    phimask: Phimask,
) -> None:
    told = phimask("discover", "-d", database.name, *arguments)
    assert told.code == 2
    assert said in told.err


def test_a_view_is_looked_at_too(samples: Database[dict[str, Any]], phimask: Phimask) -> None:
    samples.command({"create": "seen", "viewOn": "container", "pipeline": [{"$project": {"Patient.SSN": 1}}]})
    told = phimask("discover", "-d", samples.name, "-c", "seen", "--json").json
    assert [one["path"] for one in told["covered"]] == ["Patient.SSN"]
