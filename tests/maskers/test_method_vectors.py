"""The published cases of another de-identification tool, where its methods are ours."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pytest
from masker_cases import KEY, mask

from phimask import FAILED
from phimask_plugins.maskers import DateShift, DateTruncate, Hash, Zip3

FILE = Path(__file__).resolve().parents[2] / "../shared/testdata/fhir_method_vectors.jsonl"
pytestmark = pytest.mark.skipif(not FILE.exists(), reason="the shared test data is not here")


def cases(method: str) -> list[dict[str, Any]]:
    if not FILE.exists():
        return []
    lines = FILE.read_text(encoding="utf-8").splitlines()
    return [case for case in map(json.loads, lines) if case["method"] == method]


@pytest.mark.parametrize("case", cases("cryptoHash"))
def test_hash(case):
    masker = Hash({"length": 64}, case["key"].encode())
    assert mask(masker, case["input"]) == [case["expected"]]


@pytest.mark.parametrize("case", cases("zip3"))
def test_zip3(case):
    masker = Zip3({"low_population": case["restricted"]})
    assert mask(masker, case["input"]) == [case["expected"]]


@pytest.mark.parametrize("case", cases("date_partial_redact"))
def test_date_truncate_leaves_the_year(case):
    # Where the vector has none, it looked at today's date: no rule of ours depends on the clock.
    text, year = case["args"]
    (result,) = mask(DateTruncate({}), text)
    assert result[:4] == (year or text[:4])
    assert set(result[4:]) <= set("-01T:+5Z") if "T" in text else result[4:] in ("", "-01", "-01-01")


@pytest.mark.parametrize("case", cases("date_shift_bounds"))
def test_date_shift_stays_in_bounds(case):
    text, earliest, latest = (datetime.date.fromisoformat(argument[:10]) for argument in case["args"])
    for number in range(50):
        masker = DateShift({"max_days": 50}, KEY)
        (result,) = mask(masker, case["args"][0], subjects=[b"%d" % number])
        assert result[10:] == case["args"][0][10:]
        assert earliest <= datetime.date.fromisoformat(result[:10]) <= latest
        assert datetime.date.fromisoformat(result[:10]) != text


def test_date_shift_moves_all_dates_of_one_subject_alike():
    texts = [case["args"][0] for case in cases("date_shift_same_offset_pairs")]
    texts += [case["args"][0] for case in cases("date_shift_fixed_offset")]
    texts += [case["args"][1] for case in cases("date_shift_key_exact")]
    assert len(texts) > 10
    results = mask(DateShift({}, KEY), *texts)
    assert FAILED not in results
    shifts = {
        datetime.date.fromisoformat(result[:10]) - datetime.date.fromisoformat(text[:10])
        for text, result in zip(texts, results, strict=True)
    }
    assert len(shifts) == 1
