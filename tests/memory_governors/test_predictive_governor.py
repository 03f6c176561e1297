"""The ladder of the governor `predictive`, on machines and in containers of every kind."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phimask import BatchCost, MemoryReading
from phimask.testing import check_memory_governor
from phimask_plugins import cgroups
from phimask_plugins.memory_governors.predictive import PredictiveMemoryGovernor

MB = 1_000_000
CEILING = 1000 * MB


class Staged(PredictiveMemoryGovernor):
    """Sees what it is told to see."""

    resident = 100 * MB
    left = 64_000 * MB

    def resident_bytes(self) -> int:
        return self.resident

    def left_to_all(self) -> tuple[int, int]:
        return self.left, 100_000 * MB

    def at(self, resident: int) -> MemoryReading:
        self.resident = resident * MB
        return self.read()


@pytest.fixture(autouse=True)
def no_groups(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name, file in (("CGROUPS", "cgroup"), ("OWN_CGROUPS", "own"), ("PRESSURE", "pressure")):
        monkeypatch.setattr(cgroups, name, tmp_path / file)
    return tmp_path


def test_it_conforms() -> None:
    check_memory_governor(PredictiveMemoryGovernor)
    check_memory_governor(PredictiveMemoryGovernor, {"ceiling": "64GB"})
    check_memory_governor(PredictiveMemoryGovernor, {"ceiling": "2MB"})


@pytest.mark.parametrize(
    ("resident", "pressure", "relief"),
    [
        (100, "ok", None),
        (699, "ok", None),
        (700, "high", "shrink"),
        (800, "high", "drop"),
        (850, "high", "collect"),
        (949, "high", "collect"),
        (950, "critical", "pause"),
        (999, "critical", "pause"),
        (1000, "critical", "recycle"),
        (9000, "critical", "recycle"),
    ],
)
def test_the_rungs(resident: int, pressure: str, relief: str | None) -> None:
    reading = Staged({"ceiling": CEILING}).at(resident)
    assert (reading.pressure, reading.relief, reading.ceiling_bytes) == (pressure, relief, CEILING)


def test_a_rung_is_left_further_down() -> None:
    governor = Staged({"ceiling": CEILING})
    seen = [governor.at(resident).relief for resident in (960, 910, 890, 810, 790, 760, 740, 660, 640, 690)]
    assert seen == ["pause", "pause", "collect", "collect", "drop", "drop", "shrink", "shrink", None, None]


def test_batches_shrink_the_more_the_less_there_is() -> None:
    governor = Staged({"ceiling": CEILING})
    factors = [governor.at(resident).shrink for resident in (700, 800, 900, 990)]
    assert factors == sorted(factors, reverse=True)
    assert factors[0] == 1
    assert factors[-1] == pytest.approx(0.1)


def test_what_batches_rose_by_is_looked_ahead_to_but_no_reason_to_stand_still() -> None:
    governor = Staged({"ceiling": CEILING})
    governor.note(BatchCost(1, 1, 1.0, peak_bytes=700 * MB, resident_bytes=300 * MB))
    assert governor.at(250).relief is None
    assert governor.at(310).relief == "shrink"
    assert governor.at(600).relief == "collect"
    assert governor.at(940).relief == "collect"
    assert governor.at(950).relief == "pause"
    for _ in range(60):
        governor.note(BatchCost(1, 1, 1.0, peak_bytes=320 * MB, resident_bytes=300 * MB))
    assert governor.at(310).relief is None


def test_others_may_take_what_there_is() -> None:
    governor = Staged({"ceiling": CEILING})
    governor.left = 10 * MB
    reading = governor.at(100)
    assert reading.pressure == "high"
    governor.left = 0
    assert governor.at(100).relief == "pause"
    # A new process would find no more than this one has.
    governor.left = -500 * MB
    assert governor.at(100).relief == "pause"


def test_without_a_ceiling_it_goes_by_what_is_left() -> None:
    governor = Staged({"ceiling": None})
    governor.left = 900 * MB
    reading = governor.at(100)
    assert (reading.pressure, reading.ceiling_bytes) == ("ok", CEILING)
    governor.left = 250 * MB
    assert governor.at(750).relief == "shrink"


@pytest.mark.parametrize(
    ("text", "relief"),
    [
        ("some avg10=0.00 avg60=0 avg300=0 total=0\nfull avg10=0.00 avg60=0 avg300=0 total=0", None),
        ("some avg10=25.10 avg60=0 avg300=0 total=9\nfull avg10=9.00 avg60=0 avg300=0 total=9", "shrink"),
        ("some avg10=60.00 avg60=0 avg300=0 total=9\nfull avg10=12.00 avg60=0 avg300=0 total=9", "pause"),
        ("nonsense", None),
    ],
)
def test_what_the_kernel_says_of_stalls(text: str, relief: str | None, no_groups: Path) -> None:
    (no_groups / "pressure").write_text(text)
    assert Staged({"ceiling": CEILING}).at(100).relief == relief


def test_a_container_s_limit_less_what_others_need(no_groups: Path) -> None:
    (no_groups / "own").write_text("0::/job\n")
    group = no_groups / "cgroup" / "job"
    group.mkdir(parents=True)
    (group / "memory.max").write_text(str(1000 * MB))
    (group / "memory.current").write_text(str(700 * MB))
    (group / "memory.stat").write_text(f"inactive_file {100 * MB}\n")
    (group / "memory.pressure").write_text("some avg10=30.00 avg60=0 avg300=0 total=9\n")
    governor = PredictiveMemoryGovernor({"ceiling": None})
    assert governor.left_to_all() == (350 * MB, 950 * MB)
    assert governor.read().relief is not None


def test_the_older_files(no_groups: Path) -> None:
    (no_groups / "own").write_text("4:memory:/job\n")
    group = no_groups / "cgroup" / "memory" / "job"
    group.mkdir(parents=True)
    (group / "memory.limit_in_bytes").write_text(str(1000 * MB))
    (group / "memory.usage_in_bytes").write_text(str(900 * MB))
    assert PredictiveMemoryGovernor({"ceiling": None}).left_to_all() == (50 * MB, 950 * MB)


def test_a_ceiling_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no size"):
        PredictiveMemoryGovernor({"ceiling": 0})


@given(st.lists(st.integers(0, 3000), max_size=30))
def test_the_same_memory_never_climbs_by_itself(residents: list[int]) -> None:
    governor = Staged({"ceiling": CEILING})
    for resident in residents:
        first = governor.at(resident)
        assert governor.at(resident) == first
