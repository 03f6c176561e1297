"""What validators find is told by path, and no key that is data is among these, whoever adds findings up."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from phimask import DocumentPair, Finding, Validator
from phimask.engine.checking import Checked, Checks, added_up
from phimask.observing.tally import Tally
from phimask.path_counts import MOST_FIELDS, MOST_KEYS
from phimask.plugins.values import Phase

RULES = ("**.SSN", '"By.Hand".Name', "Visits.*.Name")
LETTERS = "abcdefghij"
NAMES = [f"Smith{one}{other}" for one in LETTERS for other in LETTERS]


class Finds(Validator):
    """Finds something below the key that is the document."""

    name: ClassVar[str] = "finds"
    phases: ClassVar[frozenset[Phase]] = frozenset({"during", "after"})

    def document(self, pair: DocumentPair) -> Iterable[Finding]:
        key = bytes(pair.before or b"").decode()
        yield Finding("odd", f"By.{key}.Note")
        yield Finding("odd", "Ward")
        yield Finding("odd")
        yield from (Finding("left", path) for path in RULES)


def checks(names: Iterable[str], phase: Phase = "after") -> Checks:
    made = Checks(phase, [Finds({}, rules=())])
    made.documents(DocumentPair(name.encode(), b"") for name in names)
    return made


def found(results: Iterable[Checked]) -> dict[tuple[str, str | None], int]:
    (one,) = results
    return {(finding.what, finding.path): finding.count for finding in one.findings}


def expected(count: int) -> dict[tuple[str, str | None], int]:
    return {
        ("odd", "By.*.Note"): count,
        ("odd", "Ward"): count,
        ("odd", None): count,
        **{("left", path): count for path in RULES},
    }


def test_a_sub_document_under_names_is_one_path() -> None:
    assert found(checks(NAMES).results()) == expected(100)
    few = found(checks(NAMES[:MOST_KEYS]).results())
    assert few["odd", f"By.{NAMES[0]}.Note"] == 1
    assert ("odd", "By.*.Note") not in few


def test_so_it_is_where_others_found_the_rest() -> None:
    parts = [checks(NAMES[at : at + 20]).results() for at in range(0, 100, 20)]
    assert found(added_up(parts)) == expected(100)


def test_so_it_is_over_batches() -> None:
    whole = Tally()
    for at in range(0, 100, 20):
        part = Tally()
        part.checked, part.findings = checks(NAMES[at : at + 20], "during").take()
        whole.add(Tally.of(part.document()))
    told = {(one.what, one.path): one.count for one in whole.found("finds")}
    assert told == expected(100)


def test_no_more_is_held_than_is_told() -> None:
    many = [f"{name}{more}" for name in NAMES for more in NAMES]
    made = checks(many)
    assert len(made._found["finds"]) <= MOST_FIELDS
    whole = Tally()
    for at in range(0, len(many), 50):
        part = Tally()
        part.checked, part.findings = checks(many[at : at + 50], "during").take()
        whole.add(part)
    assert len(whole.findings) <= MOST_FIELDS
    assert {one.path: one.count for one in whole.found("finds")}["By.*.Note"] == len(many)
