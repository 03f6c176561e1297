"""What other documents would repeat of a document's originals: quickly, and the same as slowly."""

from __future__ import annotations

import random

import bson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phimask import DocumentPair, RuleFacts
from phimask_plugins.validators.compare import comparer_for
from phimask_plugins.validators.known import Unmet, known
from phimask_plugins.validators.leak import Leak
from phimask_plugins.validators.own import OWN
from phimask_plugins.validators.words import known_among, known_by

pytestmark = pytest.mark.usefixtures("walk")

SIGNS = "aB3 7-./\0éß_1९ x"


def rule(*path: str, containers: bool = False) -> RuleFacts:
    return RuleFacts(".".join(path), path, "redact", "always", frozenset({"string"}), None, containers, False)


RULES = (rule("First"), rule("Last"), rule("Mrn"), rule("Whole", containers=True), rule("Number"))


@given(st.lists(st.one_of(st.text(SIGNS, max_size=16), st.text("ab12-. 09", max_size=16)), max_size=8))
def test_many_at_once_are_known_by_the_same_as_each(texts: list[str]) -> None:
    each = [joined.encode() for text in texts if (joined := known_by(text)) is not None]
    assert list(known_among([text.encode() for text in texts])) == each


def test_what_was_met_is_left_out_and_all_else_is_there() -> None:
    chance = random.Random(7)
    comparer, unmet = comparer_for(RULES), Unmet()
    slowly: set[bytes] = set()
    quickly: set[bytes] = set()
    for number in range(200):
        before = {
            "First": chance.choice(["Ann", "Bea", "Zoë"]), "Last": chance.choice(["Archer", "Butler", "O'Hara"]),
            "Mrn": f"MR-{chance.randint(1000, 1020)}", "Number": chance.randint(10**7, 10**7 + 20),
        }  # fmt: skip
        if number % 50 == 49:
            before["Whole"] = {"FirstName": "Cy", "LastName": f"Carter{'abcd'[number // 50]}"}
        pair = DocumentPair(bson.encode(before), bson.encode(dict.fromkeys(before, "x")))
        masked = comparer.parts(pair).masked
        slowly |= {joined.encode() for joined in known(masked)}
        quickly |= unmet.known(masked)
    assert quickly == slowly
    assert {b"annarcher", b"archerann", b"carterdcy", b"mr1000"} <= slowly


@pytest.mark.parametrize(
    ("original", "text"),
    [
        ("Émilie", "seen with Émilie today"), ("Émilie", "seen with ÉMILIE today"), ("O'Hara Kane", "OHARA KANE came"),
        ("MR-70-0123", "see mr700123"), ("415 555 0041", "call 415.555.0041"), ("Ab Cd 1234", "(abcd1234)"),
    ],
)  # fmt: skip
def test_an_original_is_found_however_it_is_written(original: str, text: str) -> None:
    leak = Leak({}, RULES, b"k" * 32)
    before = {"First": original, "Note": text}
    pair = DocumentPair(bson.encode(before), bson.encode(before | {"First": "masked"}))
    assert [(one.what, one.path) for one in leak.document(pair)] == [(OWN, "Note")]
