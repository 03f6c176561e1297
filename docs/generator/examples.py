"""A rule for each built-in masker, and documents to mask by it: made-up people, all of them."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from bson.binary import Binary
from bson.objectid import ObjectId

PROGRAM: Final = (
    "mask.py",
    """import json, sys

for line in sys.stdin:
    values = json.loads(line)["values"]
    print(json.dumps({"values": ["X" * len(value) for value in values]}), flush=True)
""",
)
"""The file that the example of `command` runs."""


@dataclass(frozen=True)
class Example:
    """What a collection file says, and documents; or the name of the masker whose results are the documents."""

    rules: str
    documents: tuple[Mapping[str, Any], ...] = ()
    after: str | None = None
    note: str = ""


def _each(field: str, *values: Any) -> tuple[Mapping[str, Any], ...]:
    return tuple({field: value} for value in values)


def _day(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime.datetime:
    return datetime.datetime(year, month, day, hour, minute)  # noqa: DTZ001  (BSON's dates are naive UTC)


_VISIT: Final = {"PatientId": "P-1", "Admitted": _day(2023, 3, 3, 9, 30), "Discharged": "2023-03-10"}

EXAMPLES: Final[Mapping[str, Example]] = {
    "age_cap": Example("rules:\n  - {path: Age, masker: age_cap}", _each("Age", 42, 93, "101")),
    "chain": Example(
        """rules:
  - path: BirthDate
    masker:
      name: chain
      options:
        maskers:
          - {name: age_cap, options: {as_of: 2024-01-01}}
          - {name: date_truncate, options: {to: year}}""",
        _each("BirthDate", _day(1960, 5, 17), _day(1921, 11, 30), "1960-05-17"),
    ),
    "choice": Example(
        "rules:\n  - {path: Ward, masker: {name: choice, options: {values: [North, South], weights: [3, 1]}}}",
        _each("Ward", "Oncology", "Cardiology", "Maternity", "Surgery"),
    ),
    "command": Example(
        "rules:\n  - {path: Code, masker: {name: command, options: {command: [python3, mask.py]}}}",
        _each("Code", "AB-17", "Q"),
        note=f"With `mask.py`:\n\n```python\n{PROGRAM[1].strip()}\n```",
    ),
    "date_shift": Example(
        """subject: PatientId
rules:
  - {path: Admitted, masker: {name: date_shift, options: {max_days: 180, keep: [time_of_day, weekday]}}}
  - {path: Discharged, masker: {name: date_shift, options: {max_days: 180, keep: [time_of_day, weekday]}}}""",
        (_VISIT, {**_VISIT, "PatientId": "P-2"}),
        note="Both dates of a patient move by the same days, so that the stay is as long as it was; those of another "
        "patient move by others.",
    ),
    "date_truncate": Example(
        "rules:\n  - {path: Seen, masker: {name: date_truncate, options: {to: month}}}",
        _each("Seen", _day(1987, 5, 17, 14, 3), "1987-05-17", "soon"),
    ),
    "decrypt": Example("rules:\n  - {path: Name, masker: decrypt}", after="encrypt"),
    "derive": Example(
        """rules:
  - {path: First, masker: {name: fake, options: {kind: first_name}}}
  - {path: Last, masker: {name: fake, options: {kind: last_name}}}
  - {path: Display, masker: {name: derive, options: {template: '{Last}, {First}', as: upper}}}""",
        ({"First": "Ada", "Last": "Lovelace", "Display": "LOVELACE, ADA"},),
    ),
    "detokenize": Example(
        "rules:\n  - {path: MRN, masker: {name: detokenize, options: {uri: '${VAULT_URI}'}}}",
        after="tokenize",
    ),
    "encrypt": Example("rules:\n  - {path: Name, masker: encrypt}", _each("Name", "Ada Lovelace", 1815)),
    "fake": Example(
        """rules:
  - {path: Name, masker: {name: fake, options: {kind: full_name, keep: [gender]}}}
  - {path: Phone, masker: {name: fake, options: {kind: phone}}}
  - {path: Mail, masker: {name: fake, options: {kind: email}}}
  - {path: MRN, masker: {name: fake, options: {kind: mrn, unique: true}}}""",
        (
            {
                "Name": "LOVELACE, ADA",
                "Phone": "(212) 555-0134",
                "Mail": "ada@hospital.example",
                "MRN": "A-0047113",
            },
        ),
        note="What is written stays as it was written: capitals, the order of names, a number's punctuation.",
    ),
    "fhir_id": Example(
        """rules:
  - {path: id, masker: fhir_id}
  - {path: subject.reference, masker: {name: fhir_id, options: {form: reference}}}""",
        ({"id": "4711", "subject": {"reference": "Patient/4711"}},),
    ),
    "fpe": Example(
        "rules:\n  - {path: SSN, masker: fpe}",
        _each("SSN", "900-12-3456", "900123456", 900123456, "12345", ""),
    ),
    "fpe_decrypt": Example(
        "rules:\n  - {path: SSN, masker: fpe_decrypt}",
        after="fpe",
        note="What was redacted cannot come back, and is redacted again.",
    ),
    "free_text": Example(
        """rules:
  - {path: Name, masker: {name: fake, options: {kind: full_name}}}
  - {path: Note, masker: free_text}""",
        ({"Name": "Ada Lovelace", "Note": "Ms. Lovelace called from (212) 555-0134. Her pulse was 72."},),
    ),
    "generalize": Example(
        "rules:\n  - {path: Weight, masker: {name: generalize, options: {width: 10, top: 120, show: range}}}",
        _each("Weight", 64, 71.5, 135),
    ),
    "hash": Example("rules:\n  - {path: MRN, masker: hash}", _each("MRN", "A-0047113", "A-0047114", 47113)),
    "keep": Example(
        "rules:\n  - {path: Ward, masker: redact}\n  - {path: Ward.Floor, masker: keep}",
        ({"Ward": {"Name": "Elm House", "Floor": 3}},),
    ),
    "keep_null": Example(
        "rules:\n  - {path: Name, masker: {name: keep_null, options: {masker: {name: fake, options: "
        "{kind: full_name}}}}}",
        _each("Name", "Ada Lovelace", "N/A", "unknown", None),
    ),
    "nullify": Example(
        "rules:\n  - {path: Photo, masker: nullify}",
        _each("Photo", "aGVsbG8=", {"type": "jpeg"}, ["a", "b"], None),
    ),
    "partial": Example(
        "rules:\n  - {path: Card, masker: partial}", _each("Card", "4111-1111-1111-1111", "4111")
    ),
    "perturb": Example(
        "subject: PatientId\nrules:\n  - {path: Weight, masker: {name: perturb, options: {absolute: 3, min: 0}}}",
        (
            {"PatientId": "P-1", "Weight": 64},
            {"PatientId": "P-2", "Weight": 64},
            {"PatientId": "P-1", "Weight": 71.5},
        ),
    ),
    "pseudonym": Example(
        "rules:\n  - {path: PatientId, masker: {name: pseudonym, options: {prefix: P-}}}",
        _each("PatientId", "4711", 4711, "4712"),
    ),
    "redact": Example(
        "rules:\n  - {path: Contact, masker: redact}",
        _each(
            "Contact", "Ada Lovelace", 2125550134, _day(1815, 12, 10), {"Name": "Ada", "Tags": ["a", None]}
        ),
    ),
    "refresh_uid": Example(
        "rules:\n  - {path: Uid, masker: refresh_uid}",
        _each(
            "Uid",
            "0a1b2c3d-0000-4000-8000-000000000001",
            Binary.from_uuid(uuid.UUID("0a1b2c3d-0000-4000-8000-000000000001")),
            ObjectId("64b7f3a1c2d3e4f5a6b7c8d9"),
            "1.2.840.113619.2.55.3",
        ),
    ),
    "regex_replace": Example(
        "rules:\n  - {path: Url, masker: {name: regex_replace, options: {pattern: '/patients/[0-9]+', "
        "replacement: /patients/0}}}",
        _each("Url", "https://example.org/patients/4711/chart", "none"),
    ),
    "remove": Example(
        "rules:\n  - {path: Photo, masker: remove}",
        ({"Name": "x", "Photo": "aGVsbG8="}, {"Name": "x", "Photo": {"type": "jpeg"}}),
    ),
    "replace": Example(
        "rules:\n  - {path: Country, masker: {name: replace, options: {value: US}}}",
        _each("Country", "GB", 44, None),
    ),
    "round": Example(
        "rules:\n  - {path: Weight, masker: {name: round, options: {multiple: 5}}}",
        _each("Weight", 63, 71.5, "heavy"),
    ),
    "scramble": Example(
        "rules:\n  - {path: Plate, masker: scramble}", _each("Plate", "MRN-0047 b", 4711, "--")
    ),
    "tokenize": Example(
        "rules:\n  - {path: MRN, masker: {name: tokenize, options: {uri: '${VAULT_URI}', prefix: T-}}}",
        _each("MRN", "A-0047113", 47113, "A-0047113"),
        note="Tokens are drawn at random; these are some.",
    ),
    "zip3": Example(
        "rules:\n  - {path: Zip, masker: zip3}", _each("Zip", "02139-1234", "90210", "03601", 2139)
    ),
}
