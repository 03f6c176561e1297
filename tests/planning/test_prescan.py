from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import bson
import pytest
from bson.raw_bson import RawBSONDocument

from limits import LIMITS
from phimask.config.model import CollectionFile
from phimask.path_counts import MOST_KEYS
from phimask.planning.binding import bind
from phimask.planning.prescan import Prescan, prescan
from phimask.plugins.registry import Registry

Written = Callable[..., CollectionFile]
CANARY = "zebulon@example.com"


@pytest.fixture
def scan(written: Written, registry: Registry) -> Callable[..., Prescan]:
    """What documents show under these redacted paths."""

    def call(documents: Iterable[dict[str, Any] | bytes], *paths: str, subject: str = "PatientId") -> Prescan:
        file = written(*(f"{{path: '{path}', masker: redact}}" for path in paths), subject=subject)
        raw = [one if isinstance(one, bytes) else bson.encode(one) for one in documents]
        detectors = registry.usual_detectors()
        return prescan(raw, bind(file, registry, ()), file.subject, detectors, LIMITS)

    return call


def test_values_are_counted_for_the_rule_that_wins(scan: Callable[..., Prescan]) -> None:
    documents = [
        {"_id": 1, "Name": "Ada", "Visits": [{"Name": "Bob"}, {"Name": None}, 7, [{"Name": "Cy"}]]},
        {"_id": "x", "Name": None, "Visits": {"Name": ["D", "E"]}},
    ]
    found = scan(documents, "**.Name", "Visits.Name", "Never")
    assert found.matched == [1, 4, 0]
    assert found.documents == 2
    assert found.id_types == {"int": 1, "string": 1}
    assert found.bytes == sum(len(bson.encode(one)) for one in documents)
    assert found.largest == max(len(bson.encode(one)) for one in documents)
    assert found.mean_bytes == found.bytes / 2


def test_a_rule_that_wins_where_a_condition_does_not_hold_matches(
    written: Written, registry: Registry
) -> None:
    file = written(
        "{path: Name, masker: redact}",
        "{path: Name, masker: keep, when: {Status: a}}",
        "{path: Name, masker: nullify, when: {Status: b}}",
        "{path: Nmae, masker: redact}",
        "{path: Visits.Name, masker: redact}",
        "{path: Visits.Name, masker: keep, when: {Status: a}}",
    )
    raw = [bson.encode({"_id": 1, "Name": "Ada", "Visits": [{"Name": None}, {"Name": "Bob"}]})] * 3
    found = prescan(raw, bind(file, registry, ()), None, [], LIMITS)
    assert found.matched == [1, 1, 3, 0, 1, 3]


def test_phi_where_no_rule_looks_is_named_by_path_and_label_only(scan: Callable[..., Prescan]) -> None:
    documents = [
        {
            "_id": CANARY,
            "Mail": CANARY,
            "Other": {"Deep": [{"To": f"write to {CANARY}"}]},
            "Name": CANARY,
            "Plain": "nothing",
        }
    ]
    found = scan(documents, "Name")
    assert set(found.detected) == {"_id", "Mail", "Other.Deep.To"}
    assert CANARY not in repr(found.detected)


def test_texts_of_a_path_are_shown_to_detectors_up_to_a_number(scan: Callable[..., Prescan]) -> None:
    documents = [{"_id": n, "Text": "plain" if n < 20 else CANARY} for n in range(25)]
    assert scan(documents, "Name").detected == {}
    assert "Text" in scan(reversed(documents), "Name").detected


def test_what_cannot_be_decoded_is_counted_and_passed_over(scan: Callable[..., Prescan]) -> None:
    bad_text = bson.encode({"_id": 1, "Name": "ab"}).replace(b"ab\0", b"\xff\xfe\0")
    found = scan([bad_text, {"_id": 2, "Name": "Ada"}], "Name")
    assert (found.documents, found.unreadable, found.matched) == (2, 1, [1])
    RawBSONDocument(bad_text)


def test_whole_top_level_fields_are_read_where_little_else_lies_in_them(scan: Callable[..., Prescan]) -> None:
    documents = [
        {
            "_id": 1,
            "PatientId": 1,
            "Name": "Ada",
            "Visits": [{"Note": "x", "Room": "y"}],
            "Blob": "z" * 20_000,
        }
    ]
    found = scan(documents, "Name", "Visits.Note")
    assert found.projection == {"_id": 1, "Name": 1, "PatientId": 1, "Visits": 1}


def test_bulk_within_a_needed_field_is_left_out_by_exclusion(scan: Callable[..., Prescan]) -> None:
    documents = [
        {
            "_id": 1,
            "PatientId": 1,
            "Visits": [{"Note": "x", "Scan": {"Image": b"i" * 9000, "By": "z"}}],
            "Ward": "W",
        }
    ]
    found = scan(documents, "Visits.Note")
    assert found.projection is not None
    assert set(found.projection.values()) == {0}
    assert "Visits.Scan" in found.projection
    assert not any(path == "PatientId" or path.startswith("Visits.Note") for path in found.projection)
    assert not any(path.startswith("Visits.Scan.") for path in found.projection)


@pytest.mark.parametrize("rule", ["Visits.*.Name", "Visits.Name"])
def test_keys_that_may_be_data_are_told_nowhere(rule: str, scan: Callable[..., Prescan]) -> None:
    documents = [
        {
            "_id": number,
            "Visits": {
                "Name": "Ada",
                "Scan": b"i" * 9000,
                f"555-12-{number:04d}": {"Mail": CANARY, "Scan": b"i" * 9000},
                f"Zebulon{number}": {"Mail": CANARY, "Scan": b"i" * 9000},
            },
        }
        for number in range(MOST_KEYS + 1)
    ]
    found = scan(documents, rule)
    assert "Visits.*.Mail" in found.detected
    assert "555" not in repr(found)
    assert "Zebulon" not in repr(found)
    assert (found.projection == {"Visits.Scan": 0}) is (rule == "Visits.Name")


@pytest.mark.parametrize("key", ["Größe", "名前", "first-name", "$x", "_a1"])
def test_a_field_is_told_by_its_name_in_any_script(key: str, scan: Callable[..., Prescan]) -> None:
    assert set(scan([{"_id": 1, "Other": {key: CANARY}}], "Name").detected) == {f"Other.{key}"}


@pytest.mark.parametrize("paths", [("**.Name",), ("*",), ('"a.b"',), ("Name", "**.SSN")])
def test_documents_are_read_whole_where_a_rule_may_match_anywhere(
    paths: tuple[str, ...], scan: Callable[..., Prescan]
) -> None:
    assert scan([{"_id": 1, "Name": "Ada"}], *paths).projection is None


def test_nothing_is_known_of_no_documents(scan: Callable[..., Prescan]) -> None:
    found = scan([], "Name")
    assert (found.documents, found.mean_bytes, found.projection) == (0, 0.0, None)
    assert dict(found.classes) == {"simple": 0, "medium": 0, "complex": 0}


def test_what_encoded_fields_hold_counts_for_the_rules_inside(written: Written, registry: Registry) -> None:
    file = written(
        "{path: Payload, decode: json}",
        "{path: Payload.names, masker: redact}",
        "{path: Payload.ward, masker: keep}",
        "{path: Payload.body, decode: json}",
        "{path: Payload.other, decode: json}",
        "{path: Note, decode: base64, masker: redact}",
    )
    documents: list[dict[str, Any]] = [
        {
            "_id": 1,
            "Payload": '{"names":["Ada","Bo"],"ward":7,"mail":[{"to":"' + CANARY + '"}]}',
            "Note": "eA==",
        },
        {"_id": 2, "Payload": ['{"body":"{}"}', "no JSON", ""], "Note": "no base64"},
        {"_id": 3, "Payload": None},
    ]
    detectors = registry.usual_detectors()
    raw = [bson.encode(one) for one in documents]
    found = prescan(raw, bind(file, registry, ()), file.subject, detectors, LIMITS)
    assert found.matched == [3, 2, 1, 1, 0, 2]
    assert found.detected == {"Payload.mail.to": {"EMAIL"}}
    assert prescan(raw, bind(file, registry, ()), file.subject, [], LIMITS).matched == found.matched
    assert found.projection is not None
    assert set(found.projection) == {"_id", "Note", "PatientId", "Payload"}


def test_a_rule_that_only_some_documents_decode_by_has_its_field(
    written: Written, registry: Registry
) -> None:
    file = written(
        "{path: Payload, decode: json}",
        "{path: Payload.name, masker: redact}",
        "{path: Payload, masker: redact, when: {Kind: closed}}",
    )
    raw = [bson.encode({"_id": 1, "Payload": '{"name":["Ada","Bo"]}'})]
    assert prescan(raw, bind(file, registry, ()), file.subject, [], LIMITS).matched == [1, 1, 1]
