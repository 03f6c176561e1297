"""fhir_id: each reference finds its resource again, and nothing of an id is left."""

from __future__ import annotations

import re
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from masker_cases import KEY, OTHER_KEY, mask, taken

from phimask import FAILED
from phimask_plugins.maskers import FhirId
from phimask_plugins.maskers.fhir_types import RESOURCE_TYPES

IDS = FhirId({}, KEY)
REFERENCES = FhirId({"form": "reference"}, KEY)
UUID = "0f9f4a53-2c3e-4f5b-9b1e-5f6a7b8c9d0e"

uuids = st.uuids().map(str)
oids = st.lists(st.integers(0, 2**40), min_size=2, max_size=5).map(
    lambda arcs: ".".join(map(str, (1, *arcs)))[:64].rstrip(".")
)
plain = st.from_regex(r"[A-Za-z0-9\-]{1,64}", fullmatch=True).filter(lambda one: one not in RESOURCE_TYPES)
ids = st.one_of(uuids, oids, plain)


def of_id(value: str) -> str:
    (result,) = mask(IDS, value)
    assert isinstance(result, str)
    return result


def of_reference(value: str) -> str:
    (result,) = mask(REFERENCES, value)
    assert isinstance(result, str)
    return result


@given(ids, st.sampled_from(sorted(RESOURCE_TYPES)))
def test_every_form_of_a_reference_holds_the_masked_id(identity: str, kind: str) -> None:
    masked = of_id(identity)
    assert masked != identity
    assert of_reference(f"{kind}/{identity}") == f"{kind}/{masked}"
    assert of_reference(f"{kind}/{identity}/_history/3") == f"{kind}/{masked}/_history/3"
    assert of_reference(f"{kind}/{identity}#{identity}") == f"{kind}/{masked}#{masked}"
    assert of_reference(f"#{identity}") == f"#{masked}"
    assert of_reference(identity) == masked
    absolute = of_reference(f"https://fhir.hospital.test/r4/{kind}/{identity}")
    assert re.fullmatch(rf"https://fhir-[0-9a-f]{{12}}\.example\.org/{kind}/{re.escape(masked)}", absolute)


@given(uuids)
def test_a_uuid_becomes_a_uuid_of_version_8_in_either_case_and_in_a_urn(identity: str) -> None:
    masked = uuid.UUID(of_id(identity))
    assert (masked.version, masked.variant) == (8, uuid.RFC_4122)
    assert of_id(identity.upper()) == str(masked)
    for masker in (IDS, REFERENCES):
        assert mask(masker, f"urn:uuid:{identity}") == [f"urn:uuid:{masked}"]


@given(oids)
def test_an_object_identifier_becomes_one_that_dicom_takes(identity: str) -> None:
    masked = of_id(identity)
    assert re.fullmatch(r"2\.25\.(0|[1-9][0-9]*)", masked)
    assert len(masked) <= 64
    assert of_reference(f"urn:oid:{identity}") == of_id(f"urn:oid:{identity}") == f"urn:oid:{masked}"


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_an_id_becomes_a_valid_one_whatever_it_was(text: str) -> None:
    assert re.fullmatch(r"(urn:(uuid|oid):)?[A-Za-z0-9\-.]{1,64}", of_id(text), re.IGNORECASE)


@given(st.lists(ids, unique_by=str.lower, min_size=2, max_size=30))
def test_different_ids_stay_different(identities: list[str]) -> None:
    assert len(set(mask(IDS, *identities))) == len(identities)


def test_one_server_stays_one_and_two_stay_two() -> None:
    one, same, other = (
        of_reference(f"{base}Patient/1").rpartition("/Patient/")[0]
        for base in ("https://a.test/fhir/", "https://a.test/fhir/", "https://b.test/fhir/")
    )
    assert one == same != other


@pytest.mark.parametrize("text", ["#", "Patient", "Observation"])
def test_what_names_no_resource_stays_in_a_reference(text: str) -> None:
    assert mask(REFERENCES, text) == [text]
    assert of_id(text) != text


@pytest.mark.parametrize(
    "text",
    [
        "Patient?identifier=http://hl7.org/fhir/sid/us-ssn|999-00-1234",
        "Patient/123?name=Lovelace",
        "Lovelace/123",
        "Patient/Ada Lovelace",
        "Patient/123/Observation",
        "mailto:ada@example.org",
        "ftp://a.test/Patient/1",
        "Dr. Ada Lovelace",
        "Patient/",
        "/",
        "Patient/" + "1" * 65,
        "Patient/1\n",
        "🩺",
        "\ud800",
    ],
)
def test_what_is_no_reference_fails(text: str) -> None:
    assert mask(REFERENCES, text) == [FAILED]


@pytest.mark.parametrize("masker", [IDS, REFERENCES])
def test_other_types_and_lone_surrogates_fail_and_nothing_stays_nothing(masker: FhirId) -> None:
    assert mask(masker, 7, 1.5, None, b"x", "\ud800", "") == [FAILED, FAILED, FAILED, FAILED, FAILED, ""]


def test_odd_values_and_ten_megabytes_are_masked_or_failed() -> None:
    for value in (*taken(REFERENCES), "https://" + "a/" * 5_000_000, "7" * 10_000_000):
        (result,) = mask(REFERENCES, value)
        assert result is FAILED or result != value or value == ""


def test_another_key_gives_other_ids() -> None:
    assert mask(FhirId({}, OTHER_KEY), UUID) != mask(IDS, UUID)
