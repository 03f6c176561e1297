"""The validators that look at a whole collection: what each notices, leaves alone, and says it cannot judge."""

from __future__ import annotations

import datetime
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import bson
import pytest
from trial_rules import KEEP, TILDE, Trial, told

from phimask import CollectionFacts, Detection, Detector, DocumentPair, Finding, RuleFacts, Validator
from phimask_plugins.validators import Indexes, Leak, Referential, Residual
from phimask_plugins.validators.bloom import FINGERPRINT_BYTES, Bloom, Fingerprints

pytestmark = pytest.mark.usefixtures("walk")

KEY = bytes(range(32))
DAY = datetime.datetime(1961, 7, 8)  # noqa: DTZ001

RULES: list[Trial] = [
    (("Patient",), TILDE),
    (("Letter",), TILDE._replace(facts=replace(TILDE.facts, changes="maybe"))),
    (("Memo",), KEEP),
]
FACTS = tuple(replace(one, same="tilde") for one in told(RULES))


def pair(before: Mapping[str, Any], after: Mapping[str, Any]) -> DocumentPair:
    return DocumentPair(bson.encode(before), bson.encode(after))


def person(identity: int, first: str, last: str, **fields: Any) -> dict[str, Any]:
    return {
        "_id": identity,
        "Patient": {"FirstName": first, "LastName": last, "Mrn": f"MR{7000000 + identity}"},
        **fields,
    }


def masked(document: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    patient = {name: f"~{value}~" for name, value in document["Patient"].items()}
    return {
        **document,
        "Patient": {**patient, "FirstName": "Eve", "LastName": "Sample", "Mrn": "MR00"},
        **fields,
    }


def together(
    cls: type[Validator],
    shares: Sequence[Sequence[DocumentPair]],
    facts: Sequence[RuleFacts] = FACTS,
    **given: Any,
) -> tuple[list[Finding], list[Finding]]:
    """What a validator finds in these shares, each looked at by one of its own, and what it could not judge."""
    options = given.pop("options", {})
    made = [cls(options, facts, **given) for _ in range(len(shares) + 1)]
    lead, workers = made[0], made[1:]
    found: list[Finding] = []
    showing = True
    while showing:
        for worker, share in zip(workers, shares, strict=True):
            for one in share:
                found += worker.document(DocumentPair(one.before, one.after))
        joined = lead.join([worker.gathered() for worker in workers])
        wanting = [each.next_round(joined) for each in made]
        showing = any(wanting)
    found += lead.conclude(())
    return found, list(lead.unjudged())


ADA = person(1, "Adalgisa", "Winterbourne", Letter="-", Note="slept well")
BO = person(2, "Bohumil", "Featherstone", Letter="-", Note="slept well")


@pytest.mark.parametrize(
    "text",
    [
        "Winterbourne came again",
        "spoke with WINTERBOURNE, who",
        "Adalgisa came",
        "called mr7000001 back",
        "(Mr 7000001)",
    ],
)
def test_an_original_of_its_own_in_a_note(text: str) -> None:
    found, _ = together(Leak, [[pair(ADA, masked(ADA, Note=text))]], key=KEY)
    assert "Note" in {one.path for one in found}


@pytest.mark.parametrize("text", ["a cold winterbourne ran dry", "Sample was there", "7000001", "the MR", ""])
def test_what_is_no_original_of_its_own(text: str) -> None:
    assert together(Leak, [[pair(ADA, masked(ADA, Note=text))]], key=KEY)[0] == []


@pytest.mark.parametrize(
    "text",
    ["beside Bohumil Featherstone lay", "Featherstone, Bohumil", "his number is MR-7000002", "mr7000002"],
)
def test_an_original_of_another_process_s_document(text: str) -> None:
    """It is remembered by one process and met by another, and confirmed before it counts."""
    shares = [[pair(ADA, masked(ADA, Note=text))], [pair(BO, masked(BO))]]
    found, unjudged = together(Leak, shares, key=KEY)
    assert [(one.path, one.count) for one in found] == [("Note", 1)]
    assert "across documents" in " ".join(one.what for one in unjudged)


def test_single_words_and_dates_of_others_are_left_alone() -> None:
    born = {**BO, "Patient": {**BO["Patient"], "Born": DAY, "BornText": "1961-07-08"}}
    note = "Featherstone is a place, and 1961-07-08 was a day"
    shares = [[pair(ADA, masked(ADA, Note=note))], [pair(born, masked(born))]]
    assert together(Leak, shares, key=KEY)[0] == []


def test_what_is_in_common_use_is_no_finding() -> None:
    def shares(holders: int) -> list[list[DocumentPair]]:
        clinics = [person(number, "Ann", "Lee", Ward="3") for number in range(holders)]
        for one in clinics:
            one["Patient"]["Clinic"] = "Saint Elsewhere General"
        one = masked(ADA, Note="sent by Saint Elsewhere General")
        return [[pair(ADA, one), *(pair(each, masked(each)) for each in clinics)]]

    assert [one.path for one in together(Leak, shares(20), key=KEY)[0]] == ["Note"]
    assert together(Leak, shares(60), key=KEY)[0] == []
    left_out = {"leave_out": ["Patient"]}
    assert together(Leak, shares(20), key=KEY, options=left_out)[0] == []


def test_a_made_up_name_that_is_another_s_real_one_is_no_leak() -> None:
    after = masked(ADA)
    after["Patient"]["FirstName"], after["Patient"]["LastName"] = "Bohumil", "Featherstone"
    letter = "Bohumil Featherstone came to see us"
    before = {**ADA, "Letter": "Adalgisa Winterbourne came to see us"}
    shares = [[pair(before, {**after, "Letter": letter})], [pair(BO, masked(BO))]]
    assert together(Leak, shares, key=KEY)[0] == []


def test_in_a_letter_only_what_stayed_where_it_was_counts() -> None:
    before = {**ADA, "Letter": "Adalgisa Winterbourne met Doctor Jones at noon"}
    stayed = masked(before, Letter="Eve Winterbourne met Doctor Smith at noon")
    by_chance = masked(before, Letter="Eve Sample met Doctor Winterbourne today, at noon")
    assert [one.path for one in together(Leak, [[pair(before, stayed)]], key=KEY)[0]] == ["Letter"]
    assert together(Leak, [[pair(before, by_chance)]], key=KEY)[0] == []


def test_what_a_rule_keeps_may_stay_but_for_a_name_within_it() -> None:
    kept = {**ADA, "Memo": "Winterbourne"}
    assert together(Leak, [[pair(kept, masked(kept))]], key=KEY)[0] == []
    told_more = {**ADA, "Memo": "a letter from Winterbourne is here"}
    assert [one.path for one in together(Leak, [[pair(told_more, masked(told_more))]], key=KEY)[0]] == [
        "Memo"
    ]


def test_more_texts_than_are_kept_are_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phimask_plugins.validators.leak._MOST_RUNS", 1)
    after = masked(ADA, Note="beside Bohumil Featherstone lay", Other="one more text", Third="and another")
    shares = [
        [pair({**ADA, "Other": "one more text", "Third": "and another"}, after)],
        [pair(BO, masked(BO))],
    ]
    assert [one.path for one in together(Leak, shares, key=KEY)[0]] == ["Note"]


def test_the_filter_forgets_nothing_and_tells_how_often_it_is_wrong() -> None:
    of = Fingerprints(KEY, b"test").of
    assert len(of(b"a")) == FINGERPRINT_BYTES
    assert of(b"a") != Fingerprints(KEY, b"other").of(b"a")
    assert of(b"a") != Fingerprints(KEY[::-1], b"test").of(b"a")
    one, other = Bloom(4096), Bloom(4096)
    known = [of(b"%d" % number) for number in range(3000)]
    for number, fingerprint in enumerate(known):
        (one, other)[number % 2].add([fingerprint])
    one.unite([bytes(other)])
    assert all(fingerprint in one for fingerprint in known)
    wrong = sum(of(b"x%d" % number) in one for number in range(20_000)) / 20_000
    assert one.false_positives / 2 < wrong < one.false_positives * 2


def test_the_same_original_has_to_be_the_same_pseudonym_everywhere() -> None:
    def shares(name: str) -> list[list[DocumentPair]]:
        first, second = person(1, "Ann", "Alike"), person(2, "Bea", "Alike")
        second["Patient"]["Mrn"] = "MR1"
        odd = masked(second)
        odd["Patient"] |= {"LastName": name, "FirstName": "Zoe", "Mrn": "MR2"}
        return [[pair(first, masked(first))], [pair(second, odd)]]

    assert together(Referential, shares("Sample"), key=KEY)[0] == []
    (found,) = together(Referential, shares("Other"), key=KEY)[0]
    assert (found.path, found.count) == ("Patient", 1)


def test_with_a_scope_only_within_it() -> None:
    facts = tuple(replace(one, same="shift", scope=("Whose",)) for one in told(RULES))

    def visit(number: int, whose: str, after: str) -> DocumentPair:
        before = {"_id": number, "Whose": whose, "Patient": "1961"}
        return pair(before, {**before, "Patient": after})

    apart = [[visit(1, "a", "1962"), visit(2, "b", "1963")]]
    assert together(Referential, apart, facts, key=KEY)[0] == []
    mixed = [[visit(1, "a", "1962")], [visit(2, "a", "1963")]]
    assert [one.count for one in together(Referential, mixed, facts, key=KEY)[0]] == [1]


def test_collections_are_compared_too() -> None:
    first, second = person(1, "Ann", "Alike"), person(1, "Ann", "Alike")
    other = masked(second)
    other["Patient"]["LastName"] = "Somebody"
    leads = []
    for document, after in ((first, masked(first)), (second, other)):
        worker, lead = Referential({}, FACTS, key=KEY), Referential({}, FACTS, key=KEY)
        list(worker.document(pair(document, after)))
        lead.join([worker.gathered()])
        leads.append(lead)
    assert list(leads[0].conclude(())) == []
    assert [one.path for one in leads[1].conclude(leads[:1])] == ["Patient"]


def test_too_many_originals_are_compared_in_part_and_that_is_said() -> None:
    people = [person(number, f"First{number}", f"Last{number}") for number in range(2000)]
    pairs = [
        pair(one, masked(one, Patient={name: f"x{value}" for name, value in one["Patient"].items()}))
        for one in people
    ]
    odd = [
        pair(one, masked(one, Patient={name: f"y{value}" for name, value in one["Patient"].items()}))
        for one in people
    ]
    found, unjudged = together(Referential, [pairs, odd], key=KEY, options={"most": 1000})
    assert 500 < sum(one.count for one in found) < 2000
    assert "of the originals" in unjudged[-1].what


class Numbers(Detector):
    """Takes `number 7` for an identifier."""

    name = "numbers"
    labels = frozenset({"ID"})

    def detect(self, text: str) -> list[Detection]:
        at = text.find("number 7")
        return [] if at < 0 else [Detection(at, at + 8, "ID")]


def test_what_detectors_find_in_texts() -> None:
    def found(before: Mapping[str, Any], after: Mapping[str, Any], **options: Any) -> set[str | None]:
        validator = Residual(options, FACTS, detectors=[Numbers({})])
        return {one.path for one in validator.document(pair(before, after))}

    letter = "he has the number 7 and no other"
    before = {"_id": 1, "Letter": letter, "Note": "nothing is here", "Memo": letter, "Code": "number 7"}
    assert found(before, {**before, "Letter": "he has the number 8 and no other"}) == set()
    assert found(before, before) == {"Letter"}
    made_up = {**before, "Letter": "he has the number 9 and no other"}
    assert found(made_up, {**made_up, "Letter": letter}) == set()
    note = {**before, "Note": letter, "Letter": "-"}
    assert found(note, note) == {"Note"}
    assert found(note, note, leave_out=["ID"]) == set()
    alone = Residual({}, FACTS, detectors=[Numbers({})])
    assert {one.path for one in alone.document(DocumentPair(None, bson.encode(note)))} == {"Note"}
    assert "no originals" in next(iter(alone.unjudged())).what


INDEXES = (
    {"v": 2, "key": {"_id": 1}, "name": "_id_"},
    {"v": 2, "key": {"a": 1, "b": -1}, "name": "ab", "unique": True},
)


@pytest.mark.parametrize(
    ("after", "unusable", "what"),
    [
        (INDEXES, (), None),
        (({**INDEXES[0]}, {**INDEXES[1], "key": {"a": 1.0, "b": -1}}), (), None),
        (INDEXES[:1], (), "lost"),
        ((*INDEXES, {"v": 2, "key": {"c": 1}, "name": "c"}), (), "was not there"),
        ((INDEXES[0], {**INDEXES[1], "unique": False}), (), "not what it was"),
        ((INDEXES[0], {**INDEXES[1], "key": {"b": -1, "a": 1}}), (), "not what it was"),
        (INDEXES, ("ab",), "cannot be used"),
    ],
)
def test_indexes(after: Any, unusable: tuple[str, ...], what: str | None) -> None:
    was = CollectionFacts("a.b", 0, 0, {}, INDEXES)
    validator = Indexes({})
    found = [one.what for one in validator.collection(was, replace(was, indexes=after, unusable=unusable))]
    assert (what is None and not found) or (len(found) == 1 and str(what) in found[0])
    assert not list(validator.unjudged())
    blind = Indexes({})
    list(blind.collection(None, was))
    assert list(blind.unjudged())


def test_a_document_that_nobody_can_read_stops_no_validator() -> None:
    randomly = random.Random(3)
    good = bson.encode(ADA)
    for _ in range(200):
        broken = bytearray(good)
        broken[randomly.randrange(4, len(broken))] ^= 1 << randomly.randrange(8)
        for before, after in ((good, bytes(broken)), (bytes(broken), good)):
            for cls, given in (
                (Leak, {"key": KEY}),
                (Referential, {"key": KEY}),
                (Residual, {"detectors": [Numbers({})]}),
            ):
                validator = cls({}, FACTS, **given)
                list(validator.document(DocumentPair(before, after)))
                validator.next_round(validator.join([validator.gathered()]))
                list(validator.document(DocumentPair(before, after)))
