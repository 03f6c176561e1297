"""The published cases of another de-identification tool: all are run.

Where its result hangs on a hash or a clock of its own, what is held is the property that the case stands for. What
it takes for an id for want of anything better (a link by ftp, say), ours may fail on.
"""

from __future__ import annotations

import datetime
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from masker_cases import KEY, mask

from phimask import FAILED
from phimask_plugins.maskers import AgeCap, DateShift, DateTruncate, FhirId, Hash, Zip3

FILE = Path(__file__).resolve().parents[2] / "../shared/testdata/fhir_method_vectors.jsonl"
CASES: list[dict[str, Any]] = (
    [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()] if FILE.exists() else []
)
pytestmark = pytest.mark.skipif(not CASES, reason="the shared test data is not here")

AS_OF = "2020-12-31"
"""The tool went by the day it ran on; its cases are of births that were more than 89 years ago by then."""
NO_LINK = "@ID"
"""What the tool makes of a text that it takes for no reference but an id, whatever is in it."""


def day(text: str) -> datetime.date:
    return datetime.date.fromisoformat(text[:10])


def check_hash(case: dict[str, Any]) -> None:
    assert mask(Hash({"length": 64}, case["key"].encode()), case["input"]) == [case["expected"]]


def check_zip3(case: dict[str, Any]) -> None:
    assert mask(Zip3({"low_population": case["restricted"]}), case["input"]) == [case["expected"]]


def check_truncation(case: dict[str, Any]) -> None:
    """The year stays and nothing else; where the tool leaves none, since it tells of an age over 89, neither do we."""
    text, year = case["args"]
    (result,) = mask(DateTruncate({}), text)
    assert result[:4] == text[:4]
    assert set(result[4:]) <= set("-01T:+5Z") if "T" in text else result[4:] in ("", "-01", "-01-01")
    (capped,) = mask(AgeCap({"as_of": AS_OF}), text)
    assert (capped[:4] == text[:4]) == (year is not None)


def check_shift_bounds(case: dict[str, Any]) -> None:
    text, (original, earliest, latest) = case["args"][0], map(day, case["args"])
    for number in range(50):
        (result,) = mask(DateShift({"max_days": 50}, KEY), text, subjects=[b"%d" % number])
        assert result[10:] == text[10:]
        assert earliest <= day(result) <= latest
        assert day(result) != original


def check_same_shift(case: dict[str, Any]) -> None:
    """Dates in whatever form move alike: those of a pair, and each with the day before it."""
    texts = [argument for argument in case["args"] if isinstance(argument, str) and argument[:1].isdigit()]
    texts.append((day(texts[0]) - datetime.timedelta(days=1)).isoformat())
    results = mask(DateShift({}, KEY), *texts)
    assert FAILED not in results
    assert len({day(result) - day(text) for text, result in zip(texts, results, strict=True)}) == 1
    assert [result[10:] for result in results] == [text[10:] for text in texts]


def check_reference(case: dict[str, Any]) -> None:
    """What the tool changes of a reference, we change as well; what it keeps and names nobody, we keep."""
    text = case["input"]
    (result,) = mask(FhirId({"form": "reference"}, KEY), text)
    if result is FAILED:
        assert case["expected"] == NO_LINK
        return
    if not text.strip("#"):
        assert result == text == case["expected"]
        return
    kept = re.sub(r"[0-9a-f]{64}|@ID", "", case["expected"])
    for part in re.findall(r"^#|^urn:(?:uuid|oid):|[A-Z][A-Za-z]+/|/_history/2", kept):
        assert part in result
    words = sorted(re.findall(r"[^/#:]+", kept.replace(NO_LINK, "")), key=len, reverse=True)
    hidden = re.sub("|".join(map(re.escape, words)) or "$^", "", text)
    for part in set(re.findall(r"[0-9A-Za-z-]{2,}", hidden)) - {"urn", "oid", "uuid"}:
        assert part not in result


CHECKS: dict[str, Callable[[dict[str, Any]], None]] = {
    "cryptoHash": check_hash,
    "zip3": check_zip3,
    "date_partial_redact": check_truncation,
    "date_shift_bounds": check_shift_bounds,
    "date_shift_same_offset_pairs": check_same_shift,
    "date_shift_fixed_offset": check_same_shift,
    "date_shift_key_exact": check_same_shift,
    "cryptoHash_reference": check_reference,
    "reference_id_transform": check_reference,
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["method"])
def test_case(case):
    CHECKS[case["method"]](case)


def test_every_case_is_run():
    counts = Counter(case["method"] for case in CASES)
    assert counts.keys() == CHECKS.keys()
    assert sum(counts.values()) == 83
    assert counts["cryptoHash"] == 12
    assert counts["zip3"] == 6
