"""What `leak` learns of originals: records that tell them again, and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import bson
import pytest
from bson.int64 import Int64

from phimask import DocumentPair, OriginalValues, RuleFacts
from phimask_plugins.validators.leak import OTHERS, Leak
from phimask_plugins.validators.remembered import Learnt, records

pytestmark = pytest.mark.usefixtures("walk")

KEY = b"\7" * 32
MASKED = RuleFacts("Name", ("Name",), "redact", "always", frozenset({"string"}), None, False, False)


def column(path: str, *values: tuple[int, Any], around: str = "") -> OriginalValues:
    """Values, each with its document."""
    return OriginalValues(
        path,
        [value for _, value in values],
        lambda: iter([document for document, _ in values]),
        lambda: iter([((document, around), path.rpartition(".")[2]) for document, _ in values]),
    )


def learnt(*groups: Sequence[OriginalValues], left_out: Sequence[str] = ()) -> Counter[str]:
    """What stands in the records, by a fingerprint that is the text itself."""
    memory = Learnt(lambda joined: joined.ljust(10, b"."), left_out)
    for group in groups:
        memory.note(group)
    found: Counter[str] = Counter()
    for kept, number in records(memory.taken()):
        found[kept.decode().rstrip(".")] += number
    assert not list(memory.taken())
    return found


@pytest.mark.parametrize(
    ("value", "known"),
    [
        ("PN-700123", ["pn700123"]), (4155550041, ["4155550041"]), (Int64(4155550041), ["4155550041"]),
        ("Brightwater", []), ("short", []), (41.5, []), (None, []), (True, []), ("1951-02-03", []), ("x1234 " * 40, []),
        ({"a": ["PN-700123"], "b": {"c": "QN-700123"}}, ["pn700123", "qn700123"]),
    ],
)  # fmt: skip
def test_what_tells_something_by_itself_is_learnt(value: Any, known: list[str]) -> None:
    assert sorted(learnt([column("A", (0, value))])) == known


def test_names_are_learnt_as_pairs_of_one_sub_document() -> None:
    firsts = column("P.First", (0, "Ann"), (1, "Bob"), around="P")
    lasts = column("P.Last", (0, "Archer"), (1, "Butler"), around="P")
    assert set(learnt([firsts, lasts])) == {"annarcher", "archerann", "bobbutler", "butlerbob"}
    inside = {"First": "Ann", "Last": "Archer"}
    assert set(learnt([column("P", (0, inside))])) == {"annarcher", "archerann"}


def test_rules_that_are_left_out_are_not_learnt() -> None:
    some = [column("A", (0, "PN-700123")), column("B", (0, "PN-700124"))]
    assert set(learnt(some, left_out=["A"])) == {"pn700124"}


def test_documents_are_counted_and_not_values() -> None:
    often = [column("A", *((document, "PN-700123") for document in range(40) for _ in range(3)))]
    assert learnt(often) == {"pn700123": 40}
    assert learnt([*often, column("B", (0, "PN-700123"))]) == {"pn700123": 40}


def test_what_is_told_already_is_told_again_only_when_it_came_often() -> None:
    once = [column("A", (0, "PN-700123"))]
    assert learnt(*[once] * 16) == {"pn700123": 1}
    assert learnt(*[once] * 17) == {"pn700123": 17}


def recalled(documents: int, *texts: str, copies: int = 1) -> list[tuple[str | None, int]]:
    """What is found in documents with these remarks, by what was learnt of an original in so many documents."""
    worker, lead, share = (Leak({}, [MASKED], KEY) for _ in range(3))
    worker.remember([column("Name", *((number, "Thaddeus Brightwater") for number in range(copies)))])
    parts = list(worker.learnt())
    assert b"rightwater" not in b"".join(parts)
    lead.recall(parts, documents)
    joined = lead.gathered()
    for one in (lead, share):
        one.next_round(joined)
    for text in texts:
        raw = bson.encode({"Name": "Thaddeus Brightwater", "Remark": text})
        assert not list(share.document(DocumentPair(None, raw)))
    joined = lead.join([share.gathered()])
    for one in (lead, share):
        one.next_round(joined)
    lead.recall(parts, documents)
    lead.next_round(lead.gathered())
    assert "fingerprints" in next(iter(lead.unjudged())).what
    found = list(lead.conclude(()))
    assert {one.what for one in found} <= {OTHERS}
    return [(one.path, one.count) for one in found]


def test_an_original_is_found_again_where_no_rule_masks() -> None:
    assert recalled(10, "beside Thaddeus Brightwater, asleep", "THADDEUS BRIGHTWATER", "nobody") == [
        ("Remark", 2)
    ]
    assert recalled(10, "beside Thaddeus, and Brightwater", "nobody") == []


def test_what_is_in_common_use_is_no_finding() -> None:
    assert recalled(10, "Thaddeus Brightwater", copies=100) == [("Remark", 1)]
    assert recalled(10, "Thaddeus Brightwater", copies=101) == []
    assert recalled(100_000, "Thaddeus Brightwater", copies=200) == [("Remark", 1)]
