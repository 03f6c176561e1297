"""Floors under what `tests/benchmarks/detection.py` measures; it prints the tables."""

from __future__ import annotations

import importlib.util
import statistics
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest

from phimask import Detector

BENCHMARK = Path(__file__).resolve().parents[1] / "benchmarks/detection.py"


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("detection_benchmark", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def shared(benchmark: ModuleType) -> ModuleType:
    if not benchmark.DATA.exists():
        pytest.skip("the shared test data are not here")
    return benchmark


@pytest.fixture(scope="module")
def every(benchmark: ModuleType) -> Sequence[Detector]:
    found: Sequence[Detector] = benchmark.all_detectors()
    return found


def test_recognizer_cases(shared: ModuleType, every: Sequence[Detector]) -> None:
    """Measured: 1.000 and 0.996 (one IBAN in mixed case counts as a negative there)."""
    tallies = shared.recognizer_tallies(every)
    assert sum(one.spans for one in tallies.values()) > 350
    assert statistics.fmean(one.found / one.spans for one in tallies.values() if one.spans) >= 0.99
    negatives = sum(one.negatives for one in tallies.values())
    assert negatives > 200
    assert sum(one.quiet for one in tallies.values()) / negatives >= 0.99


def test_clinical_queries(shared: ModuleType, every: Sequence[Detector]) -> None:
    """Measured: 0.994 of the elements covered, 1 of 68 hard negatives touched (a month with its year)."""
    found = shared.clinical(every)
    assert sum(one[0] for one in found.elements.values()) > 1000
    assert found.recall(2) >= 0.97
    assert found.negatives == 68
    assert found.touched <= 3


def test_the_notes_of_the_benchmark_hold_what_they_tell(
    benchmark: ModuleType, every: Sequence[Detector]
) -> None:
    note = benchmark.notes(1)[0]
    labels = {one.label for one in benchmark.detect(every, note) if one.confidence >= benchmark.CONFIDENCE}
    assert {"NAME", "DATE", "MRN", "PHONE"} <= labels


@pytest.mark.parametrize(("name", "touched", "covered"), [("tuned", 0.97, 0.94), ("unseen", 0.88, 0.81)])
def test_notes_and_messages_of_many_kinds(
    benchmark: ModuleType, every: Sequence[Detector], name: str, touched: float, covered: float
) -> None:
    """Measured: 0.985 and 0.949 of the elements touched and covered where rules were worked on, 0.893 and 0.820 where
    not; of the hard negatives 2 of 24 and 0 of 22 touched. What is missed for the most part is half an element, such
    as the words `late` before a month or `Rd` behind a street."""
    found = benchmark.elements_of(every, benchmark.marked(name))
    assert sum(one[0] for one in found.elements.values()) > 120
    assert found.negatives > 20
    assert found.recall(1) >= touched
    assert found.recall(2) >= covered
    assert found.touched <= 2


def test_people_of_many_origins_are_named(benchmark: ModuleType, every: Sequence[Detector]) -> None:
    """Measured: 54 of 60 names covered in texts that no rule was worked on with."""
    count, _, covered = benchmark.elements_of(every, benchmark.marked("unseen")).elements["NAME"]
    assert count == 60
    assert covered >= 53
