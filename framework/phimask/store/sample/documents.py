"""One sample document by its number: the same number and seed always give the same document.

Three classes are mixed. A field is a key, however often it occurs; depth is the number of keys in the longest
path; elements are those of all arrays together. Simple: under 50 fields, depth under 3, under 100 elements;
medium: up to 200, 5 and 500; complex: more of any of them, a few of these hundreds of kilobytes long.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from uuid import UUID

from bson.binary import Binary
from bson.int64 import Int64
from bson.objectid import ObjectId

from phimask.errors import UsageError
from phimask.store.sample.vocabulary import (
    DIAGNOSES,
    GENDERS,
    LABS,
    PLANS,
    RELATIONSHIPS,
    SOURCES,
    TAGS,
    VISIT_TYPES,
    Vocabulary,
    vocabulary,
)

Document = dict[str, Any]

DEFAULT_MIX: Final[Mapping[str, float]] = MappingProxyType({"simple": 0.6, "medium": 0.3, "complex": 0.1})
"""The share of each class, of 1."""

ID_TYPES: Final = ("objectId", "string", "int", "long", "double", "uuid", "object", "date")
"""The types an `_id` may have; `mixed` stands for all of them in turn. `object` is an embedded document."""

_TODAY: Final = datetime(2025, 1, 1)  # noqa: DTZ001  (BSON dates are naive UTC; fixed, or documents would change)
_HUGE: Final = 0.02  # of the complex documents


def sample_documents(
    count: int,
    seed: int,
    mix: Mapping[str, float] = DEFAULT_MIX,
    id_types: Sequence[str] = ("objectId",),
) -> Iterator[Document]:
    """The documents 0 to `count` - 1; see `sample_document`."""
    shares, types = _shares(mix), _id_types(id_types)
    words = vocabulary()
    for number in range(count):
        yield _Sample(number, seed, words).document(shares, types)


def sample_document(
    number: int,
    seed: int,
    mix: Mapping[str, float] = DEFAULT_MIX,
    id_types: Sequence[str] = ("objectId",),
) -> Document:
    """Document `number` (0 to 2**31 - 1), of a class drawn by `mix` and an `_id` of the types in turn.

    `mix` gives the classes simple, medium and complex their weights; `id_types` are of ID_TYPES, or `mixed`.
    Raises UsageError for any other.
    """
    return _Sample(number, seed, vocabulary()).document(_shares(mix), _id_types(id_types))


class _Shares(NamedTuple):
    """Up to where, from 0 to 1, a draw means simple, and up to where medium."""

    simple: float
    medium: float


def _shares(mix: Mapping[str, float]) -> _Shares:
    unknown = sorted(set(mix) - set(DEFAULT_MIX))
    if unknown:
        raise UsageError(
            f"no such class of sample documents: {unknown[0]}; there are {', '.join(DEFAULT_MIX)}"
        )
    total = sum(mix.values())
    # Said this way round, so that a NaN is refused as well.
    if not all(weight >= 0 for weight in mix.values()) or not 0 < total < float("inf"):
        raise UsageError("the weights of a mix are numbers from 0 up, and one at least is more than 0")
    simple = mix.get("simple", 0.0)
    return _Shares(simple / total, (simple + mix.get("medium", 0.0)) / total)


def _id_types(id_types: Sequence[str]) -> tuple[str, ...]:
    types: list[str] = []
    for name in id_types:
        if name != "mixed" and name not in ID_TYPES:
            raise UsageError(f"no such type of _id: {name}; there are {', '.join(ID_TYPES)} and mixed")
        types.extend(ID_TYPES if name == "mixed" else (name,))
    if not types:
        raise UsageError(f"no type of _id is named; there are {', '.join(ID_TYPES)} and mixed")
    return tuple(types)


_MAKE_ID: Final[Mapping[str, Callable[[int, random.Random], Any]]] = MappingProxyType(
    {
        "objectId": lambda number, draw: ObjectId(
            (0x66000000 + number).to_bytes(4, "big") + draw.getrandbits(40).to_bytes(5, "big") + bytes(3)
        ),
        "string": lambda number, _: f"document-{number:010d}",
        "int": lambda number, _: number,
        "long": lambda number, _: Int64(2**40 + number),
        "double": lambda number, _: number + 0.5,
        "uuid": lambda number, draw: Binary(
            UUID(int=draw.getrandbits(96) << 32 | number, version=4).bytes, 4
        ),
        "object": lambda number, _: {"site": f"S{number % 7}", "sequence": number},
        "date": lambda number, _: _TODAY - timedelta(seconds=number),
    }
)


class _Sample:
    """One document in the making: what is drawn once and used in many places."""

    def __init__(self, number: int, seed: int, words: Vocabulary) -> None:
        self.number = number
        self.words = words
        self.generator = random.Random(f"{seed}/{number}")  # noqa: S311  (repeatable, not secret)
        self.draw = self.generator.random
        self.first: str = self.one_of(words.first_names)
        self.last: str = self.one_of(words.last_names)
        self.mrn = f"MRN{self.digits(8)}"
        self.phone: str = self.one_of(words.phones)
        self.created = self.moment(1500)

    def one_of(self, values: Sequence[Any]) -> Any:
        return values[int(self.draw() * len(values))]

    def between(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return low + int(self.draw() * (high - low + 1))

    def digits(self, count: int) -> str:
        return str(int(self.draw() * 10**count)).zfill(count)

    def moment(self, days: int) -> datetime:
        """A time of day within the last `days`."""
        return _TODAY - timedelta(seconds=int(self.draw() * days * 86400))

    def document(self, shares: _Shares, id_types: Sequence[str]) -> Document:
        chance = self.draw()
        identity = _MAKE_ID[id_types[self.number % len(id_types)]](self.number, self.generator)
        document: Document = {"_id": identity, "PatientId": f"PAT-{self.digits(9)}"}
        if chance < shares.simple:
            self.simple(document)
        elif chance < shares.medium:
            self.nested(document, visits=self.between(4, 5), rows=2, samples=(30, 60))
        else:
            huge = self.draw() < _HUGE
            self.nested(document, self.between(150, 240) if huge else self.between(14, 26), 5, (30, 50))
            self.deep(document)
        document["CreatedAt"] = self.created
        document["UpdatedAt"] = self.created + timedelta(minutes=self.between(0, 90000))
        document["Source"] = self.one_of(SOURCES)
        start = self.between(0, len(TAGS) - 1)
        document["Tags"] = list(TAGS[start : start + self.between(0, 3)])
        return document

    def simple(self, document: Document) -> None:
        """One visit or two, nothing below the second level."""
        patient = self.patient()
        city, _, postcode = self.one_of(self.words.places)
        patient["City"] = city
        patient["Zip"] = postcode
        document["Patient"] = patient
        document["Contacts"] = [self.contact() for _ in range(self.between(0, 1))]
        document["Insurance"] = self.insurance()
        document["Visits"] = [self.visit() for _ in range(self.between(1, 2))]
        if self.draw() < 0.5:
            document["Billing"] = [self.bill()]

    def nested(self, document: Document, visits: int, rows: int, samples: tuple[int, int]) -> None:
        """Visits, each of up to `rows` diagnoses and results, and as many readings as `samples` allows."""
        patient = self.patient()
        city, state, postcode = self.one_of(self.words.places)
        patient["Address"] = (
            None
            if self.draw() < 0.02
            else {
                "Street": f"{self.between(1, 9999)} {self.one_of(self.words.streets)}",
                "City": city,
                "State": state,
                "Zip": postcode,
            }
        )
        document["Patient"] = patient
        document["Contacts"] = [self.contact() for _ in range(self.between(0, 2))]
        document["Insurance"] = self.insurance()
        document["Visits"] = [self.full_visit(rows, samples) for _ in range(visits)]
        document["Billing"] = [self.bill() for _ in range(self.between(1, 1 + rows))]

    def deep(self, document: Document) -> None:
        """Names further down than any other rule would look."""
        document["Referral"] = {
            "Origin": {
                "Practice": {
                    "Physician": {
                        "Person": {
                            "FirstName": self.one_of(self.words.first_names),
                            "LastName": self.one_of(self.words.last_names),
                        },
                        "Phone": self.one_of(self.words.phones),
                    }
                }
            },
            "Date": self.moment(1000),
        }

    def patient(self) -> Document:
        draw, first, last = self.draw, self.first, self.last
        age = self.between(0, 97)
        born = datetime(_TODAY.year - age - 1, self.between(1, 12), self.between(1, 28))  # noqa: DTZ001
        patient: Document = {"FirstName": first}
        if draw() < 0.6:
            patient["MiddleName"] = self.one_of(self.words.first_names) if draw() < 0.9 else None
        patient["LastName"] = last
        if draw() < 0.5:
            patient["FullName"] = f"{first} {last}"
            patient["LastNameLower"] = last.lower()
        patient["DateOfBirth"] = born
        if draw() < 0.3:
            patient["DateOfBirthText"] = f"{born:%Y-%m-%d}" if draw() < 0.5 else f"{born:%m/%d/%Y}"
        patient["Gender"] = self.one_of(GENDERS)
        if draw() < 0.9:
            patient["SSN"] = f"9{self.digits(2)}-{self.digits(2)}-{self.digits(4)}"
        # Some systems kept the number as a number.
        patient["MRN"] = self.mrn if draw() < 0.95 else 10_000_000 + int(draw() * 89_999_999)
        patient["Phone"] = self.phone if draw() < 0.95 else None
        if draw() < 0.8:
            patient["Email"] = f"{first}.{last}{self.between(1, 99)}@example.com".lower()
        patient["Age"] = age
        return patient

    def contact(self) -> Document:
        return {
            "Name": f"{self.one_of(self.words.first_names)} {self.last}",
            "Relationship": self.one_of(RELATIONSHIPS),
            "Phone": self.one_of(self.words.phones),
        }

    def insurance(self) -> Document:
        return {
            "MemberId": f"W{self.digits(9)}",
            "Plan": self.one_of(PLANS),
            "GroupNumber": self.digits(6),
        }

    def bill(self) -> Document:
        whole = self.draw() < 0.2
        return {
            "Amount": Int64(self.between(2000, 900_000)) if whole else self.one_of(self.words.amounts),
            "Date": self.moment(1000),
            "AccountNumber": self.digits(10),
        }

    def visit(self) -> Document:
        return {
            "VisitId": f"V{self.digits(9)}",
            "Date": self.moment(1000),
            "Type": self.one_of(VISIT_TYPES),
            "Facility": self.one_of(self.words.facilities),
            "Note": self.note(self.one_of(self.words.providers)[0]),
        }

    def full_visit(self, rows: int, samples: tuple[int, int]) -> Document:
        between, draw = self.between, self.draw
        name, npi, department, phone = self.one_of(self.words.providers)
        date = self.moment(1000)
        provider: Document = {"Name": name, "NPI": npi, "Department": department}
        if draw() < 0.3:
            provider["Contact"] = {"Phone": phone}
        start = between(0, 900)
        diagnoses = []
        for _ in range(between(1, rows)):
            code, description = self.one_of(DIAGNOSES)
            diagnoses.append({"Code": code, "Description": description})
        labs = []
        for _ in range(between(0, rows)):
            code, unit, low, high = self.one_of(LABS)
            value = round(low + draw() * (high - low), 1)
            labs.append(
                {"Code": code, "Value": value, "Unit": unit, "Date": date + timedelta(hours=between(1, 40))}
            )
        return {
            "VisitId": f"V{self.digits(9)}",
            "Date": date,
            "Type": self.one_of(VISIT_TYPES),
            "Provider": provider,
            "Facility": self.one_of(self.words.facilities),
            "Vitals": {
                "Systolic": between(95, 170),
                "Diastolic": between(55, 105),
                "Temperature": round(36 + draw() * 3, 1),
                "HeartRates": self.words.series[start : start + between(*samples)],
            },
            "Diagnoses": diagnoses,
            "Labs": labs,
            "Note": self.note(name),
        }

    def note(self, provider: str) -> str:
        """Free text that says again what the fields say."""
        paragraph = self.one_of(self.words.paragraphs)
        return (
            f"{self.first} {self.last} (MRN {self.mrn[3:]}) was seen by {provider}. {paragraph} "
            f"Call {self.first} at {self.phone} with the results."
        )
