"""How many workers a machine bears, on machines and in containers of every kind."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from phimask_plugins import cgroups
from phimask_plugins.executors import sizing

GB = 10**9


class Machine:
    """Cores, memory and control groups as a test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self._patch = monkeypatch
        self.groups = folder / "cgroup"
        self.own = folder / "own"
        monkeypatch.setattr(cgroups, "CGROUPS", self.groups)
        monkeypatch.setattr(cgroups, "OWN_CGROUPS", self.own)
        self.has(physical=8, logical=16, available=64 * GB)

    def has(self, *, physical: int | None, logical: int | None, available: int, allowed: int = 99) -> None:
        self._patch.setattr(psutil, "cpu_count", lambda logical=True: logical_count if logical else physical)
        logical_count = logical
        self._patch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=available))
        self._patch.setattr(os, "sched_getaffinity", lambda pid: set(range(allowed)), raising=False)

    def limits(self, membership: str, **files: str) -> None:
        """Files by their path below the control groups' root, with `__` for a slash and `_of_` for a dot."""
        self.own.write_text(membership)
        for name, text in files.items():
            path = self.groups / name.replace("__", "/").replace("_of_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    return Machine(monkeypatch, tmp_path)


def test_all_physical_cores_but_one(machine: Machine) -> None:
    assert sizing.bearable(GB, 16) == (7, "8 cores less one")


def test_no_more_than_memory_has_room_for(machine: Machine) -> None:
    machine.has(physical=32, logical=64, available=10 * GB)
    assert sizing.bearable(3 * GB, 16) == (3, "10.0 GB available, 3.0 GB each")


def test_no_more_than_the_most(machine: Machine) -> None:
    machine.has(physical=64, logical=128, available=640 * GB)
    assert sizing.bearable(3 * GB, 16) == (16, "16 at most")


@pytest.mark.parametrize(("physical", "available"), [(1, 64 * GB), (8, GB)])
def test_at_least_one(physical: int, available: int, machine: Machine) -> None:
    machine.has(physical=physical, logical=physical, available=available)
    number, why = sizing.bearable(3 * GB, 16)
    assert number == 1
    assert why.startswith("at least one, though ")


@pytest.mark.parametrize(("logical", "expected"), [(6, 6), (None, 1)])
def test_where_physical_cores_are_not_known_the_logical_ones_count(
    logical: int | None, expected: int, machine: Machine
) -> None:
    machine.has(physical=None, logical=logical, available=64 * GB)
    assert sizing.cores() == expected


def test_cores_that_this_process_may_not_use_do_not_count(machine: Machine) -> None:
    machine.has(physical=8, logical=16, available=64 * GB, allowed=4)
    assert sizing.cores() == 4


@pytest.mark.parametrize(
    ("quota", "expected"), [("300000 100000", 3), ("50000 100000", 1), ("max 100000", 8), ("", 8), ("x y", 8)]
)
def test_a_container_s_share_of_the_cores(quota: str, expected: int, machine: Machine) -> None:
    machine.limits("0::/", cpu_of_max=quota)
    assert sizing.cores() == expected


def test_a_limit_further_up_counts_too(machine: Machine) -> None:
    machine.limits(
        "0::/team/phimask\n", team__phimask__cpu_of_max="600000 100000", team__cpu_of_max="200000 100000"
    )
    assert sizing.cores() == 2


def test_the_older_files_for_cores(machine: Machine) -> None:
    machine.limits(
        "4:memory:/x\n3:cpu,cpuacct:/job\n",
        cpu__job__cpu_of_cfs_quota_us="200000",
        cpu__job__cpu_of_cfs_period_us="100000",
        cpu__cpu_of_cfs_quota_us="-1",
        cpu__cpu_of_cfs_period_us="100000",
    )
    assert sizing.cores() == 2


def test_a_container_s_memory(machine: Machine) -> None:
    machine.limits(
        "0::/",
        memory_of_max=str(8 * GB),
        memory_of_current=str(5 * GB),
        memory_of_stat=f"anon 1\ninactive_file {2 * GB}\n",
    )
    assert sizing.available_memory() == 5 * GB


@pytest.mark.parametrize(("limit", "current"), [("max", "5"), ("", ""), ("9223372036854771712", "100")])
def test_no_limit_of_memory(limit: str, current: str, machine: Machine) -> None:
    machine.limits("0::/", memory_of_max=limit, memory_of_current=current)
    assert sizing.available_memory() == 64 * GB


def test_a_container_that_is_full_already(machine: Machine) -> None:
    machine.limits("0::/", memory_of_max="1000", memory_of_current="2000")
    assert sizing.available_memory() == 0
    assert sizing.bearable(GB, 16)[0] == 1


def test_the_older_files_for_memory(machine: Machine) -> None:
    machine.limits(
        "4:memory:/job\n",
        memory__job__memory_of_limit_in_bytes=str(6 * GB),
        memory__job__memory_of_usage_in_bytes=str(2 * GB),
        memory__job__memory_of_stat="total_inactive_file 1000000000\n",
    )
    assert sizing.available_memory() == 5 * GB


def test_this_machine_bears_some() -> None:
    number, why = sizing.bearable(1, 1000)
    assert 1 <= number <= (psutil.cpu_count() or 1)
    assert why
