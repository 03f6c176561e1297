from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phimask import MemoryReading
from phimask.testing import check_memory_governor
from phimask_plugins.memory_governors.rss import RssMemoryGovernor

MB = 1_000_000
SOFT, HARD = 1_500 * MB, 2_000 * MB


class Staged(RssMemoryGovernor):
    """Sees what it is told to see."""

    resident = 100 * MB
    available = 0.5

    def resident_bytes(self) -> int:
        return self.resident

    def available_share(self) -> float:
        return self.available

    def at(self, resident: int) -> MemoryReading:
        self.resident = resident
        return self.read()


def staged() -> Staged:
    return Staged({"soft": SOFT, "hard": HARD})


def test_it_conforms() -> None:
    check_memory_governor(RssMemoryGovernor, {"soft": "64GB", "hard": "65GB"})
    check_memory_governor(RssMemoryGovernor, {"soft": "1MB", "hard": "2MB"})


@pytest.mark.parametrize(
    ("resident", "pressure", "shrink"),
    [
        (100 * MB, "ok", 1.0),
        (SOFT, "ok", 1.0),
        (SOFT + 1, "high", 1.0),
        (1_750 * MB, "high", 0.625),
        (HARD, "high", 0.25),
        (HARD + 1, "critical", 0.1),
        (9 * HARD, "critical", 0.1),
    ],
)
def test_pressure_and_shrinking_follow_the_resident_bytes(
    resident: int, pressure: str, shrink: float
) -> None:
    reading = staged().at(resident)
    assert reading.pressure == pressure
    assert reading.shrink == pytest.approx(shrink, abs=1e-6)
    assert reading.rss_bytes == resident
    assert reading.ceiling_bytes == HARD


def test_it_is_ok_again_only_well_below_soft() -> None:
    governor = staged()
    seen = [governor.at(mb * MB).pressure for mb in (1_400, 1_501, 1_499, 1_351, 1_349, 1_499, 1_501)]
    assert seen == ["ok", "high", "high", "high", "ok", "ok", "high"]


def test_after_critical_it_is_high_until_well_below_soft() -> None:
    governor = staged()
    seen = [governor.at(mb * MB).pressure for mb in (2_100, 1_900, 1_400, 1_300)]
    assert seen == ["critical", "high", "high", "ok"]


def test_within_the_band_nothing_shrinks_further() -> None:
    governor = staged()
    governor.at(1_600 * MB)
    assert governor.at(1_400 * MB) == MemoryReading("high", 1_400 * MB, HARD, 1.0)


def test_a_machine_without_memory_is_critical_however_small_the_process() -> None:
    governor = staged()
    governor.available = 0.049
    assert governor.at(10 * MB) == MemoryReading("critical", 10 * MB, HARD, 0.1)
    governor.available = 0.051
    assert governor.at(10 * MB).pressure == "ok"


@given(st.lists(st.integers(0, 3 * HARD), min_size=2, max_size=30))
def test_more_memory_never_shrinks_less(residents: list[int]) -> None:
    shrinks = [staged().at(resident).shrink for resident in sorted(residents)]
    assert all(later <= earlier for earlier, later in pairwise(shrinks))
    assert all(0 < one <= 1 for one in shrinks)


def test_it_sees_this_process_grow() -> None:
    governor = RssMemoryGovernor({"soft": SOFT, "hard": HARD})
    before = governor.read().rss_bytes
    ballast = bytearray(b"x" * 64 * MB)
    assert governor.read().rss_bytes > before + 32 * MB
    assert len(ballast) == 64 * MB


@pytest.mark.parametrize(("soft", "hard"), [(2, 2), (3, 2), (0, 2)])
def test_soft_must_be_below_hard(soft: int, hard: int) -> None:
    with pytest.raises(ValueError, match="soft is not below hard"):
        RssMemoryGovernor({"soft": soft, "hard": hard})
