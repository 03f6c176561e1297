"""The FHIR pack, resource by resource: what is marked goes, what is not marked stays, in a Bundle as alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from pack_masking import leaves, masked

MARKS = ("zqx", "-05-17", "42.2609", "-71.0094")
"""What every identifying value of the resources below holds, in its letters, its date or its number."""

DATE = "2021-05-17T09:30:00-05:00"
NAME = [
    {
        "use": "official",
        "family": "Zqxwell",
        "given": ["Zqxa", "Zqxb"],
        "prefix": ["Dr."],
        "text": "Zqxa Zqxwell",
    }
]
TELECOM = [{"system": "phone", "value": "617-555-zqx", "use": "home", "rank": 1}]
ADDRESS = {
    "use": "home",
    "type": "physical",
    "text": "12 Zqx Row, Zqxton",
    "line": ["12 Zqx Row", "c/o Zqxwell"],
    "city": "Zqxton",
    "district": "Zqx County",
    "state": "MA",
    "postalCode": "zqx39",
    "country": "US",
    "period": {"start": "2019-05-17"},
    "extension": [
        {
            "url": "http://hl7.org/fhir/StructureDefinition/geolocation",
            "extension": [
                {"url": "latitude", "valueDecimal": 42.2609},
                {"url": "longitude", "valueDecimal": -71.0094},
            ],
        }
    ],
}
BIRTHPLACE = {**ADDRESS, "state": "Zqxton"}
IDENTIFIER = [
    {
        "use": "usual",
        "type": {
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}],
            "text": "MRN",
        },
        "system": "http://hospital.example.org",
        "value": "zqx-0047",
        "period": {"start": "2019-05-17"},
        "assigner": {"display": "Zqxton General"},
    }
]
CODE = {
    "coding": [{"system": "http://snomed.info/sct", "code": "38341003", "display": "Hypertension"}],
    "text": "Hypertension",
}
REFERENCE = {
    "reference": "Patient/zqx-1",
    "type": "Patient",
    "display": "Zqxa Zqxwell",
    "identifier": IDENTIFIER[0],
}
PERIOD = {"start": DATE, "end": "2021-05-17"}
NOTE = [{"authorString": "Zqxa", "time": DATE, "text": "Zqxa called", "authorReference": REFERENCE}]
ATTACHMENT = {
    "contentType": "image/jpeg",
    "language": "en",
    "data": "zqx9",
    "url": "https://files.example.org/zqx.jpg",
    "size": 4,
    "hash": "zqx8",
    "title": "Zqxa",
    "creation": DATE,
}

RESOURCES: list[dict[str, Any]] = [
    {
        "resourceType": "Patient",
        "id": "zqx-1",
        "meta": {
            "versionId": "3",
            "lastUpdated": DATE,
            "source": "http://zqx.example.org",
            "profile": ["http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient"],
            "tag": [{"system": "https://example.org/tags", "code": "synthetic", "display": "Synthetic"}],
        },
        "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">Zqxa</div>'},
        "extension": [
            {
                "url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race",
                "extension": [
                    {"url": "ombCategory", "valueCoding": {"code": "2106-3", "display": "White"}},
                    {"url": "text", "valueString": "Zqx"},
                ],
            },
            {
                "url": "http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName",
                "valueString": "Zqxa Zqxwell",
            },
            {"url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace", "valueAddress": BIRTHPLACE},
            {"url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-birthsex", "valueCode": "F"},
            {"url": "http://example.org/kin", "valueHumanName": NAME[0]},
            {"url": "http://example.org/line", "valueContactPoint": TELECOM[0]},
            {"url": "http://example.org/number", "valueIdentifier": IDENTIFIER[0]},
        ],
        "identifier": IDENTIFIER,
        "active": True,
        "name": NAME,
        "telecom": TELECOM,
        "gender": "female",
        "birthDate": "1987-05-17",
        "_birthDate": {
            "extension": [
                {
                    "url": "http://hl7.org/fhir/StructureDefinition/patient-birthTime",
                    "valueDateTime": "1987-05-17T14:35:45-05:00",
                }
            ]
        },
        "deceasedDateTime": DATE,
        "address": [ADDRESS],
        "maritalStatus": CODE,
        "multipleBirthInteger": 2,
        "photo": [ATTACHMENT],
        "contact": [
            {
                "relationship": [CODE],
                "name": NAME[0],
                "telecom": TELECOM,
                "address": ADDRESS,
                "gender": "male",
                "organization": REFERENCE,
                "period": PERIOD,
            }
        ],
        "communication": [{"language": {"coding": [{"code": "en-US"}]}, "preferred": True}],
        "generalPractitioner": [REFERENCE],
        "link": [{"other": REFERENCE, "type": "seealso"}],
    },
    {
        "resourceType": "RelatedPerson",
        "id": "zqx-2",
        "patient": REFERENCE,
        "relationship": [CODE],
        "name": NAME,
        "telecom": TELECOM,
        "birthDate": "1987-05-17",
        "address": [ADDRESS],
        "photo": [ATTACHMENT],
    },
    {
        "resourceType": "Practitioner",
        "id": "zqx-3",
        "identifier": IDENTIFIER,
        "name": NAME,
        "birthDate": "1987-05-17",
        "qualification": [{"identifier": IDENTIFIER, "code": CODE, "period": PERIOD, "issuer": REFERENCE}],
    },
    {
        "resourceType": "PractitionerRole",
        "id": "zqx-4",
        "practitioner": REFERENCE,
        "organization": REFERENCE,
        "specialty": [CODE],
        "telecom": TELECOM,
        "availableTime": [{"daysOfWeek": ["mon"], "availableStartTime": "08:30:00"}],
        "notAvailable": [{"description": "Zqxa is away", "during": PERIOD}],
    },
    {
        "resourceType": "Person",
        "id": "zqx-5",
        "name": NAME,
        "link": [{"target": REFERENCE, "assurance": "level4"}],
    },
    {
        "resourceType": "Encounter",
        "id": "zqx-6",
        "identifier": IDENTIFIER,
        "status": "finished",
        "class": {
            "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
            "code": "AMB",
            "display": "ambulatory",
        },
        "subject": REFERENCE,
        "participant": [{"individual": REFERENCE, "period": PERIOD}],
        "period": PERIOD,
        "length": {"value": 30, "unit": "min"},
        "reasonCode": [CODE],
        "diagnosis": [{"condition": {"reference": "Condition/zqx-7", "display": "Hypertension"}, "rank": 1}],
        "hospitalization": {"preAdmissionIdentifier": IDENTIFIER[0], "origin": REFERENCE},
        "location": [{"location": REFERENCE, "status": "completed", "period": PERIOD}],
    },
    {
        "resourceType": "Organization",
        "id": "zqx-8",
        "name": "ZQXTON GENERAL",
        "alias": ["Zqx"],
        "telecom": TELECOM,
        "address": [ADDRESS],
        "contact": [{"purpose": CODE, "name": NAME[0], "telecom": TELECOM, "address": ADDRESS}],
    },
    {
        "resourceType": "Location",
        "id": "zqx-9",
        "name": "Zqxton, Ward 3",
        "description": "Opposite the Zqx Inn",
        "address": ADDRESS,
        "position": {"longitude": -71.0094, "latitude": 42.2609},
    },
    {
        "resourceType": "Device",
        "id": "zqx-10",
        "udiCarrier": [
            {
                "deviceIdentifier": "zqx01",
                "issuer": "http://hl7.org/fhir/NamingSystem/gs1",
                "carrierAIDC": "zqx02",
                "carrierHRF": "(01)zqx",
                "entryType": "barcode",
            }
        ],
        "distinctIdentifier": "zqx03",
        "manufactureDate": DATE,
        "serialNumber": "zqx04",
        "deviceName": [{"name": "Infusor", "type": "model-name"}],
        "modelNumber": "M-7",
        "patient": REFERENCE,
        "note": NOTE,
    },
    {
        "resourceType": "Coverage",
        "id": "zqx-11",
        "status": "active",
        "subscriber": REFERENCE,
        "subscriberId": "zqx-77",
        "dependent": "zqx-78",
        "payor": [REFERENCE],
        "class": [{"type": CODE, "value": "zqx-79", "name": "Zqx Wheelworks"}],
        "period": PERIOD,
    },
    {
        "resourceType": "Claim",
        "id": "zqx-12",
        "billablePeriod": PERIOD,
        "created": DATE,
        "related": [{"reference": {"system": "http://happy.example.org", "value": "zqx-80", "use": "usual"}}],
        "careTeam": [{"sequence": 1, "provider": REFERENCE}],
        "insurance": [{"sequence": 1, "focal": True, "coverage": REFERENCE, "preAuthRef": ["zqx-81"]}],
        "accident": {"date": "2021-05-17", "type": CODE, "locationAddress": ADDRESS},
        "item": [
            {
                "sequence": 1,
                "productOrService": CODE,
                "servicedPeriod": PERIOD,
                "net": {"value": 140.52, "currency": "USD"},
                "detailSequence": [1, 2],
            }
        ],
        "supportingInfo": [{"sequence": 1, "timingDate": "2021-05-17", "valueString": "Zqxa"}],
        "total": {"value": 265.52, "currency": "USD"},
    },
    {
        "resourceType": "ClaimResponse",
        "id": "zqx-13",
        "disposition": "Zqxa is not covered",
        "preAuthRef": "zqx-82",
        "payment": {
            "date": "2021-05-17",
            "amount": {"value": 12.5, "currency": "USD"},
            "identifier": IDENTIFIER[0],
        },
        "processNote": [{"number": 1, "text": "Ask Zqxa"}],
    },
    {
        "resourceType": "Observation",
        "id": "zqx-14",
        "status": "final",
        "category": [CODE],
        "code": CODE,
        "subject": REFERENCE,
        "effectiveDateTime": DATE,
        "issued": "2021-05-17T09:30:00.345-05:00",
        "performer": [REFERENCE],
        "valueQuantity": {
            "value": 83.72,
            "unit": "mm[Hg]",
            "system": "http://unitsofmeasure.org",
            "code": "mm[Hg]",
        },
        "interpretation": [CODE],
        "note": NOTE,
        "bodySite": CODE,
        "referenceRange": [{"low": {"value": 60}, "high": {"value": 90}}],
        "hasMember": [{"reference": "Observation/zqx-15", "display": "Heart rate"}],
        "component": [
            {"code": CODE, "valueCodeableConcept": CODE},
            {"code": CODE, "valueString": "says Zqxa"},
        ],
    },
    {
        "resourceType": "Observation",
        "id": "zqx-16",
        "valueSampledData": {"origin": {"value": 0}, "period": 10, "dimensions": 1, "data": "1 2 3"},
    },
    {
        "resourceType": "Condition",
        "id": "zqx-17",
        "code": CODE,
        "onsetAge": {"value": 89, "unit": "a"},
        "abatementString": "when Zqxa moved",
        "recordedDate": "2021-05-17",
    },
    {
        "resourceType": "DocumentReference",
        "id": "zqx-18",
        "masterIdentifier": IDENTIFIER[0],
        "date": DATE,
        "author": [REFERENCE],
        "description": "Letter about Zqxa",
        "content": [
            {"attachment": ATTACHMENT, "format": {"code": "urn:ihe:pcc", "display": "mimeType Sufficient"}}
        ],
        "context": {"event": [CODE], "period": PERIOD},
    },
    {"resourceType": "Binary", "id": "zqx-19", "contentType": "application/pdf", "data": "zqxA"},
    {
        "resourceType": "Goal",
        "id": "zqx-20",
        "description": {"text": "Glucose below 108"},
        "target": [{"measure": CODE, "dueDate": "2021-05-17", "detailQuantity": {"value": 108}}],
    },
    {
        "resourceType": "MedicationRequest",
        "id": "zqx-21",
        "medicationReference": {"reference": "#zqx-m", "display": "Amoxicillin 250 MG"},
        "authoredOn": DATE,
        "dosageInstruction": [
            {
                "sequence": 1,
                "text": "one at night",
                "patientInstruction": "Zqxa takes one",
                "timing": {
                    "event": [DATE],
                    "repeat": {"frequency": 1, "when": ["HS"], "boundsPeriod": PERIOD},
                },
            }
        ],
    },
    {
        "resourceType": "QuestionnaireResponse",
        "id": "zqx-22",
        "authored": DATE,
        "item": [
            {"linkId": "1", "text": "Your name?", "answer": [{"valueString": "Zqxa"}]},
            {"linkId": "2", "text": "Since when?", "answer": [{"valueDate": "2021-05-17"}]},
            {"linkId": "3", "text": "Smoker?", "answer": [{"valueCoding": {"code": "Y", "display": "Yes"}}]},
        ],
    },
    {
        "resourceType": "Consent",
        "id": "zqx-23",
        "dateTime": DATE,
        "sourceAttachment": ATTACHMENT,
        "provision": {"data": [{"meaning": "instance", "reference": REFERENCE}]},
    },
    {
        "resourceType": "AuditEvent",
        "id": "zqx-24",
        "type": {"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "110100"},
        "subtype": [{"code": "read", "display": "read"}],
        "recorded": DATE,
        "agent": [
            {
                "who": REFERENCE,
                "altId": "zqx",
                "name": "Zqxa",
                "network": {"address": "10.0.0.zqx", "type": "2"},
                "requestor": True,
            }
        ],
    },
    {
        "resourceType": "FamilyMemberHistory",
        "id": "zqx-25",
        "name": "Zqxb",
        "relationship": CODE,
        "bornDate": "1987-05-17",
        "condition": [{"code": CODE, "onsetString": "when Zqxb moved", "note": NOTE}],
    },
    {
        "resourceType": "Appointment",
        "id": "zqx-26",
        "description": "Zqxa again",
        "start": DATE,
        "end": DATE,
        "comment": "Zqxa is late",
        "minutesDuration": 30,
        "requestedPeriod": [PERIOD],
    },
    {
        "resourceType": "ImagingStudy",
        "id": "zqx-27",
        "started": DATE,
        "series": [
            {
                "uid": "zqx.1.2.840",
                "modality": {"code": "DX", "display": "Digital Radiography"},
                "bodySite": {"code": "344001", "display": "Ankle"},
                "instance": [{"uid": "zqx.1.2.841", "number": 1, "title": "Ankle of Zqxa"}],
            }
        ],
    },
    {
        "resourceType": "MolecularSequence",
        "id": "zqx-28",
        "coordinateSystem": 0,
        "variant": [{"start": 22125503, "end": 22125510, "observedAllele": "C"}],
    },
    {
        "resourceType": "DiagnosticReport",
        "id": "zqx-29",
        "contained": [{"resourceType": "Practitioner", "id": "zqx-p", "name": NAME}],
        "result": [{"reference": "urn:uuid:zqx", "display": "Hemoglobin"}],
        "conclusion": "Zqxa is well",
        "presentedForm": [ATTACHMENT],
    },
]

REMOVED = {"data", "hash", "carrierAIDC"}


def marked(value: Any) -> bool:
    return any(mark in str(value).lower() for mark in MARKS)


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The places of values without a mark that are another one or gone."""
    now = {leaf.place: leaf.value for leaf in leaves(after)}
    return [
        leaf.place
        for leaf in leaves(before)
        if not marked(leaf.value) and (leaf.place not in now or now[leaf.place] != leaf.value)
    ]


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda one: f"{one['resourceType']}-{one['id']}")
def test_what_is_marked_goes_and_all_else_stays(resource: dict[str, Any]) -> None:
    after = masked("fhir-r4", resource)
    assert [leaf.place for leaf in leaves(after) if marked(leaf.value)] == []
    assert differences(resource, after) == []
    gone = {leaf.place for leaf in leaves(resource)} - {leaf.place for leaf in leaves(after)}
    assert {place.rpartition(".")[2] for place in gone} <= REMOVED


def test_every_resource_is_masked_alike_alone_and_in_a_bundle() -> None:
    bundle = {
        "resourceType": "Bundle",
        "id": "zqx-0",
        "type": "collection",
        "timestamp": DATE,
        "link": [{"relation": "self", "url": "https://fhir.example.org/Patient?family=Zqxwell"}],
        "entry": [{"fullUrl": f"urn:uuid:{one['id']}", "resource": one} for one in RESOURCES],
    }
    after = masked("fhir-r4", bundle)
    assert [leaf.place for leaf in leaves(after) if marked(leaf.value)] == []
    assert [entry["resource"] for entry in after["entry"]] == [masked("fhir-r4", one) for one in RESOURCES]
    assert (after["type"], after["link"][0]["relation"]) == ("collection", "self")


UUID = "0f9f4a53-2c3e-4f5b-9b1e-5f6a7b8c9d0e"


@pytest.mark.parametrize("identity", ["123", "patient-a.7", UUID])
@pytest.mark.parametrize(
    "written",
    [
        "{}",
        "Patient/{}",
        "Patient/{}/_history/2",
        "#{}",
        "urn:uuid:{}",
        "https://a.example.org/r4/Patient/{}",
    ],
)
def test_a_reference_finds_its_resource_afterwards(identity: str, written: str) -> None:
    new = masked("fhir-r4", {"resourceType": "Patient", "id": identity})["id"]
    pointing = masked(
        "fhir-r4", {"subject": {"reference": written.format(identity)}, "fullUrl": written.format(identity)}
    )
    for found in (pointing["subject"]["reference"], pointing["fullUrl"]):
        assert found == written.format(new) or (
            written[0] == "h" and found.endswith(f".example.org/Patient/{new}")
        )
        assert identity not in found


def test_a_transaction_keeps_its_verbs_and_loses_what_it_searches_by() -> None:
    entry = {"request": {"method": "PUT", "url": "Patient/zqx-1", "ifNoneExist": "identifier=zqx"}}
    create = {"request": {"method": "POST", "url": "Patient"}}
    search = {"request": {"method": "PUT", "url": "Patient?identifier=zqx"}}
    after = masked("fhir-r4", {"entry": [entry, create, search]})["entry"]
    assert after[1] == create
    assert after[2] == {"request": {"method": "PUT", "url": "[REDACTED]"}}
    assert after[0]["request"]["url"].startswith("Patient/")
    assert "zqx" not in json.dumps(after)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1921-05-17", "1940-01-01"),
        ("1921-05", "1940-01"),
        ("1921", "1940"),
        ("1987-05", "1987-01"),
        ("1987", "1987"),
    ],
)
def test_a_partial_date_stays_partial_and_tells_no_age_over_89(value: str, expected: str) -> None:
    assert masked("fhir-r4", {"birthDate": value}) == {"birthDate": expected}


def test_an_age_over_89_is_90() -> None:
    assert masked("fhir-r4", {"onsetAge": {"value": 97, "unit": "a"}}) == {
        "onsetAge": {"value": 90, "unit": "a"}
    }


def test_a_narrative_stays_one() -> None:
    div = masked("fhir-r4", RESOURCES[0])["text"]["div"]
    assert div == '<div xmlns="http://www.w3.org/1999/xhtml">[REDACTED]</div>'


def test_equal_names_get_equal_fakes_in_every_resource() -> None:
    one, other = (masked("fhir-r4", RESOURCES[number])["name"][0] for number in (0, 1))
    assert one == other
