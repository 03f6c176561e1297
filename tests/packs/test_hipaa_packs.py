"""The HIPAA packs: every identifier has its rules, every rule has its four spellings, and nothing else is touched."""

# ruff: noqa: DTZ001  (BSON dates are naive UTC)

from __future__ import annotations

import datetime
import json
import re
import string
from collections import defaultdict
from typing import Any

import pytest
from pack_masking import letters, masked, pack, said_above

from phimask.plugins.loading import load_registry

PACKS = ("hipaa-person", "hipaa-safe-harbor", "limited-data-set", "fhir-r4")
HIPAA = PACKS[:3]

IDENTIFIERS: list[tuple[str, str, Any]] = [
    ("A", "Patient.FirstName", "Zebulon"),
    ("A", "patient.name", "Zebulon Quagmire"),
    ("A", "Contacts.Name", "Zebulon Quagmire"),
    ("A", "patient.name.last", "Quagmire"),
    ("A", "MOTHERS_MAIDEN_NAME", "Quagmire"),
    ("A", "employer_name", "Quagmire Wheelworks"),
    ("B", "address", "12 Quagmire Row, Dorchester"),
    ("B", "Patient.Address.Line3", "Quagmire House"),
    ("B", "streetAddress", "12 Quagmire Row"),
    ("B", "addressLine2", "Apt 4, care of Quagmire"),
    ("B", "City", "Dorchester"),
    ("B", "county", "Suffolk"),
    ("B", "precinct", "Ward 17"),
    ("B", "zipCode", "02139"),
    ("B", "Location.coordinates", [-71.0094, 42.2609]),
    ("B", "latitude", 42.2609),
    ("C", "DateOfBirth", datetime.datetime(1987, 5, 17)),
    ("C", "dob", "1987-05-17"),
    ("C", "birth_year", 1931),
    ("C", "Age", 97),
    ("D", "MobilePhone", "617-867-5309"),
    ("E", "FAX_NUMBER", "617-867-5310"),
    ("F", "email", "zebulon@quagmire.test"),
    ("G", "SSN", "123-45-6789"),
    ("G", "socialSecurityNumber", 123456789),
    ("H", "medical_record_number", "MRN-0047123"),
    ("I", "memberId", "XEA47123998"),
    ("I", "MedicareNumber", "1EG4-TE5-MK73"),
    ("J", "AccountNumber", "0047123998"),
    ("J", "creditCardNumber", "4012888888881881"),
    ("K", "DriversLicenseNumber", "S99922788"),
    ("K", "license_number", "S99922788"),
    ("L", "VIN", "1HGCM82633A004352"),
    ("L", "licensePlate", "7ABC123"),
    ("M", "DeviceSerialNumber", "SN-99120-X"),
    ("M", "udi", "(01)00643169007222"),
    ("N", "url", "https://quagmire.test/zebulon"),
    ("O", "ip_address", "73.12.44.9"),
    ("P", "Fingerprint", "9f8a77c1"),
    ("P", "voiceprint", b"\x01\x02\x03"),
    ("Q", "PatientPhoto", b"\xff\xd8\xff"),
    ("R", "passport_number", "X14485831X"),
    ("R", "UserName", "zquagmire"),
]
"""A field for each identifier at least, in different spellings."""

SAFE_HARBOR_ONLY: list[tuple[str, str, Any]] = [
    ("A", "Notes.Text", "Zebulon Quagmire called"),
    ("A", "comment", "Zebulon Quagmire called"),
    ("A", "attendingPhysician", "Dr. Quagmire"),
    ("B", "Facility.FacilityName", "Dorchester General"),
    ("C", "AdmissionDate", datetime.datetime(2020, 5, 17, 9, 30)),
    ("C", "visits.visit_date", "05/17/2020"),
    ("C", "DISCHARGED_AT", "2020-05-17T09:30:00Z"),
    ("R", "PatientId", "P-0047123"),
    ("R", "visitNumber", 47123998),
    ("R", "ClaimNumber", "C-99812-7"),
]

CLINICAL = {
    "Diagnosis": {"Code": "I10", "Name": "Essential hypertension", "System": "ICD-10"},
    "Labs": [{"Test": "HbA1c", "Value": 7.2, "Unit": "%", "LOINC": "4548-4"}],
    "Medications": [{"Name": "Lisinopril", "DoseMg": 10, "NDC": "0093-1111-01"}],
    "BloodPressure": {"Systolic": 141, "Diastolic": 88},
    "State": "MA",
    "Sex": "F",
    "Amount": 140.52,
    "Status": "final",
}


def placed(path: str, value: Any) -> dict[str, Any]:
    """A document that holds the value at the path, below arrays of two."""
    for key in reversed(path.split(".")):
        value = {key: value}
    return {"Records": [value, 7], **value}


def held(document: Any) -> str:
    return json.dumps(document, default=str)


@pytest.mark.parametrize("name", PACKS)
def test_every_masker_of_a_pack_is_installed(name: str) -> None:
    known = load_registry().names("masker")
    assert pack(name).rules
    assert {rule.masker.name for rule in pack(name).rules} <= set(known)


@pytest.mark.parametrize("name", ["hipaa-person", "hipaa-safe-harbor"])
def test_every_identifier_has_a_rule_that_cites_it(name: str) -> None:
    assert letters(name) == set(string.ascii_uppercase[: string.ascii_uppercase.index("R") + 1])


@pytest.mark.parametrize("name", PACKS)
def test_every_rule_says_above_it_what_it_is_for(name: str) -> None:
    assert [rule.path for rule in pack(name).rules if not said_above(rule)] == []


@pytest.mark.parametrize("name", PACKS)
def test_every_rule_that_masks_names_the_identifiers_that_are_cited_above_it(name: str) -> None:
    for rule in pack(name).rules:
        named = set(rule.hipaa)
        assert named or rule.masker.name == "keep", rule.path
        above = said_above(rule)
        cited = set(re.findall(r"\(([A-R])\)", above.partition("\n")[0]))
        if named and cited and "text" not in named and "limited" not in rule.origin.file:
            assert named <= cited, rule.path


@pytest.mark.parametrize("name", HIPAA)
def test_no_path_is_said_twice_in_one_file(name: str) -> None:
    by_file: dict[str, list[str]] = defaultdict(list)
    for rule in pack(name).rules:
        by_file[rule.origin.file].append(rule.path)
    for paths in by_file.values():
        assert len(paths) == len(set(paths))


@pytest.mark.parametrize("name", HIPAA)
def test_every_name_is_listed_in_its_four_spellings_with_one_masker(name: str) -> None:
    rules = {
        (rule.origin.file, rule.path): (rule.masker.name, rule.masker.options) for rule in pack(name).rules
    }
    snakes = [key for key in rules if re.search(r"[a-z0-9]_[a-z0-9]", key[1])]
    assert len(snakes) > 10
    for file, snake in snakes:
        pascal = re.sub(r"(?:^|[._*])([a-z0-9])", lambda found: found[0].strip("_").upper(), snake)
        pascal = pascal if pascal.startswith("**.") else f"**.{pascal.lstrip('*.')}"
        camel = re.sub(r"\.([A-Z])", lambda found: found[0].lower(), pascal)
        for spelling in (pascal, camel, snake.upper()):
            assert rules[file, spelling] == rules[file, snake], spelling


@pytest.mark.parametrize("name", ["hipaa-person", "hipaa-safe-harbor"])
@pytest.mark.parametrize(("letter", "path", "value"), IDENTIFIERS)
def test_an_identifier_is_masked_wherever_it_stands(name: str, letter: str, path: str, value: Any) -> None:
    before = placed(path, value)
    after = masked(name, {**before, **CLINICAL})
    parts = [value] if not isinstance(value, list) else value
    for part in parts:
        assert held(part) not in held(after), letter
    assert {key: after[key] for key in CLINICAL} == CLINICAL
    assert list(after) == [*before, *CLINICAL]


@pytest.mark.parametrize(("letter", "path", "value"), SAFE_HARBOR_ONLY)
def test_safe_harbor_takes_dates_of_care_and_notes_and_codes_as_well(
    letter: str, path: str, value: Any
) -> None:
    assert held(value) not in held(masked("hipaa-safe-harbor", placed(path, value))), letter
    assert letter in letters("hipaa-safe-harbor")


@pytest.mark.parametrize("path", ["DateOfBirth", "AdmissionDate", "date_of_death", "visits.Date"])
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (datetime.datetime(1987, 5, 17, 14, 3), datetime.datetime(1987, 1, 1)),
        (datetime.datetime(1921, 5, 17), datetime.datetime(1940, 1, 1)),
        ("1987-05-17", "1987-01-01"),
        ("05/17/1987", "01/01/1987"),
        ("1921-05-17T10:00:00+01:00", "1940-01-01T00:00:00+01:00"),
        ("17 May 1987", "[REDACTED]"),
        (19870517, 0),
    ],
)
def test_of_a_date_the_year_stays_unless_it_tells_an_age_over_89(
    path: str, value: Any, expected: Any
) -> None:
    assert masked("hipaa-safe-harbor", placed(path, value)) == placed(path, expected)


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("Zip", "02139", "02100"),
        ("zip_code", "03601", "00000"),
        ("PostalCode", "02139-4301", "02100-0000"),
        ("Age", 89, 89),
        ("Age", 90, 90),
        ("age", 104, 90),
        ("Address.State", "MA", "MA"),
        ("home_address.country", "US", "US"),
    ],
)
def test_what_safe_harbor_lets_stay_stays(path: str, value: Any, expected: Any) -> None:
    assert masked("hipaa-safe-harbor", placed(path, value)) == placed(path, expected)


DIRECT = [case for case in IDENTIFIERS if case[0] not in "C" and case[1] not in ("City", "zipCode")]


@pytest.mark.parametrize(("letter", "path", "value"), DIRECT)
def test_a_limited_data_set_has_no_direct_identifier(letter: str, path: str, value: Any) -> None:
    after = masked("limited-data-set", placed(path, value))
    for part in value if isinstance(value, list) else [value]:
        assert held(part) not in held(after), letter


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("City", "Dorchester"),
        ("Patient.Address.City", "Dorchester"),
        ("patient.address.zip", "02139-4301"),
        ("Address.State", "MA"),
        ("DateOfBirth", datetime.datetime(1921, 5, 17)),
        ("dob", "1921-05-17"),
        ("date_of_death", "2020-05-17"),
        ("AdmissionDate", datetime.datetime(2020, 5, 17, 9, 30)),
        ("visits.Date", "2020-05-17"),
        ("Age", 97),
        ("birth_year", 1931),
    ],
)
def test_a_limited_data_set_keeps_dates_ages_towns_and_zip_codes(path: str, value: Any) -> None:
    assert masked("limited-data-set", placed(path, value)) == placed(path, value)


def test_a_limited_data_set_has_no_note() -> None:
    assert masked("limited-data-set", {"Notes": [{"Text": "Zebulon called"}]}) == {
        "Notes": [{"Text": "[REDACTED]"}]
    }
