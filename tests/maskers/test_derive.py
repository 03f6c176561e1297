"""derive: values built from what their neighbours became."""

# ruff: noqa: DTZ001  (BSON dates decode to naive UTC)

from __future__ import annotations

import datetime
from typing import Any

import pytest
from bson.int64 import Int64

from phimask import FAILED, REMOVE, Column, MaskedField
from phimask_plugins.maskers import Derive


def field(place: str, masked: Any) -> MaskedField:
    path = ".".join(key for key in place.split(".") if not key.isdecimal())
    return MaskedField(path, place, "the original", masked)


NAMES = [
    field("Patient.FirstName", "Grace"),
    field("Patient.LastName", "Hopper-Murray"),
    field("Contacts.0.FirstName", "Alan"),
    field("Contacts.0.LastName", "Turing"),
    field("Contacts.1.FirstName", "Joan"),
    field("Contacts.1.Number", 7),
    field("Contacts.1.Phones.0.Number", Int64(8)),
    field("Contacts.1.Phones.1.Number", Int64(9)),
    field("Gone", None),
    field("Removed", REMOVE),
    field("Empty", ""),
    field("Born", datetime.datetime(1906, 12, 9)),
]


def derive(options: dict[str, Any], place: str, value: Any = "x", siblings: Any = NAMES) -> Any:
    (result,) = Derive(options).mask(Column("Path", [value], [], [siblings], [place]))
    return result


@pytest.mark.parametrize(
    ("options", "place", "expected"),
    [
        ({"from": "Patient.FirstName"}, "Patient.Name", "Grace"),
        ({"from": ["Patient.FirstName"]}, "Elsewhere", "Grace"),
        ({"from": "FirstName"}, "Patient.Name", "Grace"),
        ({"from": "FirstName"}, "Contacts.1.Name", "Joan"),
        ({"from": "FirstName"}, "Contacts.1.Phones.0.Of", "Joan"),
        ({"from": "FirstName"}, "Name", "Grace"),
        ({"from": ["FirstName", "LastName"]}, "Contacts.0.Name", "Alan Turing"),
        ({"from": ["FirstName", "LastName"], "as": "upper"}, "Contacts.0.Name", "ALAN TURING"),
        ({"from": ["FirstName", "LastName"], "as": "lower"}, "Patient.Name", "grace hopper-murray"),
        ({"from": ["FirstName", "LastName"], "as": "initials"}, "Patient.Initials", "GHM"),
        ({"template": "{LastName}, {FirstName} {{sic}}"}, "Contacts.0.Name", "Turing, Alan {sic}"),
        ({"template": "No. {Number}"}, "Contacts.1.Note", "No. 7"),
        ({"template": "No. {Number}"}, "Contacts.1.Phones.1.Note", "No. 9"),
        ({"template": "{Phones.Number}"}, "Contacts.1.Phones.1.Note", "9"),
        ({"from": "Name"}, "Patient.Name", FAILED),
        ({"from": "irstName"}, "Patient.Name", FAILED),
        ({"from": "Gone"}, "Patient.Name", FAILED),
        ({"from": "Removed"}, "Patient.Name", FAILED),
        ({"template": "{Gone}."}, "Patient.Name", FAILED),
        ({"template": "{Removed}."}, "Patient.Name", FAILED),
        ({"template": "{Born}."}, "Patient.Name", FAILED),
        ({"from": "Number"}, "Contacts.1.Name", FAILED),
        ({"from": "Empty"}, "Name", ""),
        ({"from": "Empty", "as": "initials"}, "Name", FAILED),
    ],
)
def test_derive(options, place, expected):
    assert derive(options, place) == expected


def test_a_copy_keeps_the_type_and_takes_no_other():
    born = datetime.datetime(1906, 12, 9)
    assert derive({"from": "Born"}, "Copy", datetime.datetime(2000, 1, 1)) == born
    assert derive({"from": "Born"}, "Copy", 5) is FAILED
    assert derive({"from": "Contacts.Number"}, "Contacts.1.X", 5) == 7
    assert type(derive({"from": "Contacts.Number"}, "Contacts.1.X", Int64(5))) is Int64
    assert Derive({"from": "Born"}).types >= {"date", "int", "string"}
    assert Derive({"from": "Born", "as": "lower"}).types == {"string"}
    assert derive({"from": "Born", "as": "lower"}, "Copy", 5) is FAILED


def test_the_value_itself_has_no_part_in_it():
    for value in ("Ada", "🩺", "\ud800", "x" * 10_000_000):
        assert derive({"from": "Patient.FirstName"}, "Patient.Name", value) == "Grace"
    assert derive({"from": "Patient.FirstName"}, "Patient.Name", "") == ""


def test_without_neighbours_it_fails():
    assert derive({"from": "FirstName"}, "Name", siblings=[]) is FAILED
    assert derive({"from": ["FirstName", "LastName"]}, "Contacts.1.Name", siblings=NAMES[4:5]) is FAILED
    assert derive({"from": "FirstName"}, "Name", siblings=[field("FirstName", FAILED)]) is FAILED
    assert derive({"template": "-{X}"}, "Name", siblings=[field("X", "\ud800")]) is FAILED


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"from": "a", "template": "{a}"},
        {"template": "no field"},
        {"template": "{a} {"},
        {"template": "a}"},
        {"template": "{}"},
        {"template": "{a}\ud800"},
    ],
)
def test_options_that_do_not_go_together(options):
    with pytest.raises(ValueError, match=r".+"):
        Derive(options)
