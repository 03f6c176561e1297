"""What collection files can say of rules, run as a user would: when, unmapped, explain, domains, rotation."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

HEAD = "version: 1\ncollection: people\n"


@pytest.fixture
def people(database: Database[dict[str, Any]]) -> Any:
    """Sixty people who never were."""
    collection = database["people"]
    collection.insert_many(
        {
            "_id": number,
            "Status": "open" if number % 3 else "closed",
            "Name": f"Person Number{number}",
            "Visits": [{"Note": "private", "Ward": 7}],
            **({"Nickname": "Zeb"} if number == 41 else {}),
        }
        for number in range(60)
    )
    return collection


def write(text: str) -> None:
    Path("collections/people.yaml").write_text(HEAD + text, encoding="utf-8")


def mask(phimask: Callable[..., Any], people: Any, *more: str) -> Any:
    return phimask("-d", people.database.name, "-c", "people", "--yes", "--json", *more)


def test_when_limits_a_rule_to_the_documents_that_match(
    deployed: Path, people: Any, phimask: Callable[..., Any]
) -> None:
    write(
        "rules:\n  - {path: Name, masker: redact}\n"
        "  - {path: Name, masker: keep, when: {Status: open}}\n"
        "  - {path: Visits.Note, masker: redact, when: {Status: closed, _id: {$lt: 30}}}\n"
    )
    answer = mask(phimask, people, "--set", "check.sample=100")
    assert answer.code == 0, answer.err
    for one in people.find():
        closed = one["Status"] == "closed"
        assert (one["Name"] == "[REDACTED]") is closed
        assert (one["Visits"][0]["Note"] == "[REDACTED]") is (closed and one["_id"] < 30)


def test_when_holds_in_a_copy_and_its_verification(
    deployed: Path, people: Any, phimask: Callable[..., Any]
) -> None:
    write("rules:\n  - {path: Name, masker: hash, when: {Status: closed}}\n")
    target = f"{people.database.name}_masked"
    try:
        answer = mask(phimask, people, "--target-db", target)
        assert answer.code == 0, answer.err
        copied = people.database.client[target]["people"]
        for before in people.find():
            after = copied.find_one({"_id": before["_id"]})
            assert (after["Name"] != before["Name"]) is (before["Status"] == "closed")
    finally:
        people.database.client.drop_database(target)


def test_a_query_that_the_server_refuses_is_a_hazard(
    deployed: Path, people: Any, phimask: Callable[..., Any]
) -> None:
    write("rules:\n  - {path: Name, masker: redact, when: {Status: {$nonsense: 1}}}\n")
    answer = mask(phimask, people)
    assert answer.code == 2
    assert "when" in answer.err
    assert people.count_documents({"Name": "[REDACTED]"}) == 0


def test_unmapped_report_counts_paths_and_types(
    deployed: Path, people: Any, phimask: Callable[..., Any]
) -> None:
    write("unmapped: report\nrules:\n  - {path: Name, masker: redact}\n  - {path: Status, masker: keep}\n")
    before = {one["_id"]: one for one in people.find()}
    answer = mask(phimask, people)
    assert answer.code == 0, answer.err
    (one,) = answer.json["collections"]
    assert one["unmapped"] == [
        {"path": "Nickname", "type": "string", "values": 1},
        {"path": "Visits.Note", "type": "string", "values": 60},
        {"path": "Visits.Ward", "type": "int", "values": 60},
    ]
    for after in people.find():
        assert after == {**before[after["_id"]], "Name": "[REDACTED]"}


def test_unmapped_redact_masks_what_no_rule_names(
    deployed: Path, people: Any, phimask: Callable[..., Any]
) -> None:
    write("unmapped: redact\nrules:\n  - {path: Status, masker: keep}\n  - {path: Visits, masker: keep}\n")
    answer = mask(phimask, people)
    assert answer.code == 0, answer.err
    assert people.find_one({"_id": 41}) == {
        "_id": 41,
        "Status": "open",
        "Name": "[REDACTED]",
        "Visits": [{"Note": "private", "Ward": 7}],
        "Nickname": "[REDACTED]",
    }


def test_unmapped_halt_stops_before_the_batch_that_drifted(
    deployed: Path, people: Any, phimask: Callable[..., Any]
) -> None:
    write(
        "unmapped: halt\nrules:\n  - {path: Name, masker: redact}\n"
        + "".join(f"  - {{path: {kept}, masker: keep}}\n" for kept in ("Status", "Visits"))
    )
    answer = mask(phimask, people, "--set", "batch_sizer={name: fixed, options: {documents: 10}}")
    assert answer.code == 4
    assert "Nickname (string, 1 values)" in answer.err
    assert "Zeb" not in answer.out + answer.err
    assert people.count_documents({"Name": "[REDACTED]"}) == 40
    assert people.find_one({"_id": 41})["Name"] == "Person Number41"


def test_unmapped_halt_stops_before_a_document_that_is_masked_whole(
    deployed: Path, people: Any, phimask: Callable[..., Any]
) -> None:
    kept = "".join(f"  - {{path: {kept}, masker: keep}}\n" for kept in ("Status", "Visits", "Nickname"))
    write(f"unmapped: halt\nrules:\n  - {{path: Name, masker: redact}}\n{kept}")
    people.insert_one({"_id": 1000, "Name": "Zebulon", "Visits": ["x" * 3_000_000], "Alias": "Zeb"})
    answer = mask(phimask, people, "--set", "batch_sizer={name: fixed, options: {documents: 1}}")
    assert answer.code == 4
    assert "Alias (string, 1 values)" in answer.err
    assert people.find_one({"_id": 1000})["Name"] == "Zebulon"


def test_unmapped_counts_a_document_that_is_masked_whole_once(
    deployed: Path, people: Any, phimask: Callable[..., Any]
) -> None:
    write("unmapped: report\nrules:\n  - {path: '\"Na.me\"', masker: redact}\n")
    people.delete_many({})
    people.insert_one({"_id": 1, "Na.me": "Zebulon", "Alias": "Zeb"})
    answer = mask(phimask, people)
    assert answer.code == 0, answer.err
    assert people.find_one() == {"_id": 1, "Na.me": "[REDACTED]", "Alias": "Zeb"}
    assert answer.json["collections"][0]["unmapped"] == [{"path": "Alias", "type": "string", "values": 1}]


@pytest.mark.parametrize("what", ["report", "halt"])
def test_unmapped_tells_no_key_of_a_sub_document_that_has_too_many(
    what: str, deployed: Path, people: Any, phimask: Callable[..., Any]
) -> None:
    people.delete_many({})
    letters = "abcdefghij"
    names = [f"Smith{one}{other}" for one in letters for other in letters]
    people.insert_many(
        {"_id": at, "Name": name, "By": {name: {"Mail": "a@b.org"}}} for at, name in enumerate(names)
    )
    write(f"unmapped: {what}\nrules:\n  - {{path: Name, masker: redact}}\n")
    answer = mask(phimask, people, "--accept", "unmapped-phi")
    told = answer.out + answer.err
    assert "By.*.Mail" in told
    assert "Smith" not in told
    if what == "halt":
        assert answer.code == 4
        assert "By.*.Mail (string, " in told
    else:
        assert answer.json["collections"][0]["unmapped"] == [
            {"path": "By.*.Mail", "type": "string", "values": 100}
        ]
        assert "Smith" not in str([*people.database.client[people.database.name]["phimask.runs"].find()])


def test_explain_names_the_rule_that_wins_with_its_line(deployed: Path, phimask: Callable[..., Any]) -> None:
    write("rules:\n  - {path: '**.NPI', masker: redact}\n  - {path: Visits.Provider.NPI, masker: keep}\n")
    answer = phimask("explain", "Visits.Provider.NPI", "-c", "people", "--json")
    assert answer.code == 0, answer.err
    assert (answer.json["winner"]["masker"], answer.json["winner"]["line"]) == ("keep", 5)
    assert [one["line"] for one in answer.json["covered_by"]] == [4, 5]
    assert "no rule covers it; unmapped: keep" in phimask("explain", "Name", "-c", "people").err
    assert "never masked" in phimask("explain", "_id", "-c", "people").err
    assert phimask("explain", "**.NPI", "-c", "people").code == 2


def test_explain_says_in_which_documents_a_rule_wins(deployed: Path, phimask: Callable[..., Any]) -> None:
    write(
        "rules:\n  - {path: Name, masker: hash, when: {Status: lost}}\n  - {path: Name, masker: redact}\n"
        "  - {path: Name, masker: keep, when: {Status: open}}\n  - {path: Name, masker: nullify, when: {Status: new}}\n"
        "  - {path: Born, masker: redact, when: {Status: open}}\n"
    )
    told = phimask("explain", "Name", "-c", "people").err.splitlines()
    assert [line.partition("Name: ")[2] for line in told] == [
        'hash when {"Status": "lost"}',
        "redact  <- wins in all other documents",
        'keep when {"Status": "open"}  <- wins in documents that match, and match no rule below',
        'nullify when {"Status": "new"}  <- wins in documents that match',
    ]
    assert (
        "no rule covers it in other documents; unmapped: keep"
        in phimask("explain", "Born", "-c", "people").err
    )
    assert phimask("explain", "Born", "-c", "people", "--json").json["winner"]["when"] == {"Status": "open"}


def test_explain_takes_the_collection_that_a_project_has(deployed: Path, phimask: Callable[..., Any]) -> None:
    write("rules:\n  - {path: Name, masker: redact}\n")
    project = Path("phimask.yaml")
    project.write_text("version: 1\nuri: mongodb://127.0.0.1\ndatabase: ehr\ncollections: [people]\n")
    assert "wins" in phimask("explain", "Name").err
    project.write_text(project.read_text().replace("[people]", "[people, visits]"))
    answer = phimask("explain", "Name")
    assert (answer.code, "people, visits" in answer.err) == (2, True)


def test_rules_of_one_domain_link_and_others_do_not(
    deployed: Path, people: Any, phimask: Callable[..., Any]
) -> None:
    people.update_many({}, [{"$set": {"A": "$Name", "B": "$Name", "C": "$Name", "D": "$Name"}}])
    write(
        "rules:\n  - {path: A, masker: {name: hash, options: {domain: person}}}\n"
        "  - {path: B, masker: {name: hash, options: {domain: person}}}\n"
        "  - {path: C, masker: {name: hash, options: {domain: other}}}\n"
        "  - {path: D, masker: {name: hash, options: {engine: random}}}\n"
    )
    assert mask(phimask, people).code == 0
    for one in people.find():
        assert one["A"] == one["B"]
        assert len({one["A"], one["C"], one["D"], one["Name"]}) == 4


def test_a_random_engine_needs_no_key(
    deployed: Path, people: Any, phimask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    key = os.environ["PHIMASK_KEY"]
    write("rules:\n  - {path: Name, masker: {name: hash, options: {engine: keyed}}}\n")
    monkeypatch.delenv("PHIMASK_KEY")
    missing = mask(phimask, people)
    assert missing.code == 2
    assert "keygen" in missing.err
    monkeypatch.setenv("PHIMASK_KEY", key)
    assert mask(phimask, people).code == 0


@pytest.fixture
def messages(people: Any) -> Any:
    """The sixty people, with what was said of them in texts of other forms."""
    people.update_many(
        {},
        [
            {
                "$set": {
                    "Payload": {
                        "$concat": [
                            '{ "patient": {"name": "', "$Name", '", "visits": [1.0, 1e5]}, "ward": 7, ',
                            '"odd": "\\u00e9", "name": "', "$Name", '" }',
                        ]
                    }
                }
            }
        ],
    )  # fmt: skip
    for one in people.find():
        body = json.dumps({"who": {"name": one["Name"]}, "note": f"seen by {one['Name']}"})
        people.update_one({"_id": one["_id"]}, {"$set": {"Body": base64.b64encode(body.encode()).decode()}})
    people.update_one({"_id": 7}, {"$set": {"Payload": "Person Number7 in no JSON"}})
    return people


ENCODED = """\
subject: Name
rules:
  - {path: Name, masker: {name: hash, options: {domain: person}}}
  - {path: Payload, decode: json}
  - {path: Payload.patient.name, masker: {name: hash, options: {domain: person}}}
  - {path: Payload.name, masker: {name: derive, options: {from: Name}}}
  - {path: Body, decode: [base64, json]}
  - {path: "**.who.name", masker: {name: hash, options: {domain: person}}}
  - {path: Body.note, masker: free_text}
"""


def check_messages(found: Any, before: dict[int, Any]) -> None:
    for one in found.find():
        old = before[one["_id"]]
        assert old["Name"] not in str(one)
        if one["_id"] == 7:
            assert one["Payload"] == "[REDACTED]"
        else:
            assert one["Payload"] == old["Payload"].replace(old["Name"], one["Name"])
        body = json.loads(base64.b64decode(one["Body"]))
        assert body["who"]["name"] == one["Name"]
        assert body["note"] == f"seen by {one['Name']}"


def test_paths_lead_into_json_and_base64(deployed: Path, messages: Any, phimask: Callable[..., Any]) -> None:
    write(ENCODED)
    before = {one["_id"]: one for one in messages.find()}
    answer = mask(phimask, messages, "--set", "check.sample=100")
    assert answer.code == 0, answer.err
    check_messages(messages, before)
    (one,) = answer.json["collections"]
    assert [
        (rule["path"], rule["masker"], rule["masked"], rule["redacted_on_error"]) for rule in one["rules"]
    ] == [
        ("Name", "hash", 60, 0),
        ("Payload", "decode", 0, 1),
        ("Payload.patient.name", "hash", 59, 0),
        ("Payload.name", "derive", 59, 0),
        ("Body", "decode", 0, 0),
        ("**.who.name", "hash", 60, 0),
        ("Body.note", "free_text", 60, 0),
    ]


def test_a_copy_with_encoded_fields_is_verified_whole(
    deployed: Path, messages: Any, phimask: Callable[..., Any]
) -> None:
    write(ENCODED)
    before = {one["_id"]: one for one in messages.find()}
    target = f"{messages.database.name}_masked"
    client = messages.database.client
    try:
        answer = mask(phimask, messages, "--target-db", target)
        assert answer.code == 0, answer.err
        check_messages(client[target]["people"], before)
        arguments = ("verify", "-d", messages.database.name, "--target-db", target, "-c", "people", "--json")
        assert phimask(*arguments).code == 0
        client[target]["people"].update_one({"_id": 3}, {"$set": {"Payload": before[3]["Payload"]}})
        answer = phimask(*arguments)
        assert answer.code == 3
        assert "Payload.patient.name" in answer.out
    finally:
        client.drop_database(target)


def test_plan_counts_and_misses_what_is_inside(
    deployed: Path, messages: Any, phimask: Callable[..., Any]
) -> None:
    write(ENCODED + "  - {path: Payload.patient.nickname, masker: redact}\n")
    answer = phimask("plan", "-d", messages.database.name, "-c", "people", "--json")
    assert answer.code == 2
    (one,) = answer.json["collections"]
    (hazard,) = one["hazards"]
    assert "Payload.patient.nickname matches nothing" in hazard["what"]
    counted = {rule["path"]: rule["values"] for rule in one["rules"]}
    assert counted["Payload"] == 60
    assert counted["Payload.patient.name"] == 59
    assert counted["Body.note"] == 60


def test_unmapped_looks_into_encoded_fields(
    deployed: Path, messages: Any, phimask: Callable[..., Any]
) -> None:
    write(
        "unmapped: report\nrules:\n  - {path: Payload, decode: json}\n  - {path: Payload.patient, masker: keep}\n"
    )
    answer = mask(phimask, messages)
    assert answer.code == 0, answer.err
    seen = {one["path"]: one["values"] for one in answer.json["collections"][0]["unmapped"]}
    assert {path: count for path, count in seen.items() if path.startswith("Payload")} == {
        "Payload.name": 59, "Payload.odd": 59, "Payload.ward": 59,
    }  # fmt: skip


def test_explain_says_by_which_rule_a_field_on_the_way_is_decoded(
    deployed: Path, phimask: Callable[..., Any]
) -> None:
    write(ENCODED)
    answer = phimask("explain", "Payload.patient.name", "-c", "people", "--json")
    assert answer.json["winner"]["rule"] == "Payload.patient.name"
    assert [(one["field"], one["decode"], one["line"]) for one in answer.json["decoded"]] == [
        ("Payload", ["json"], 6)
    ]
    told = phimask("explain", "Body.note", "-c", "people").err
    assert "Body is held as json in base64, and decoded" in told
    assert "Body.note: free_text" in told
    assert "no rule covers it" in phimask("explain", "Payload", "-c", "people").err
    shown = phimask("collections", "show", "people").err
    assert "decode=json in base64" in shown
    assert phimask("collections", "show", "people", "--json").code == 0
