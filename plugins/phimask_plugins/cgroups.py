"""What a container leaves of its machine: the control groups of this process (Linux), and all above them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

CGROUPS: Final = Path("/sys/fs/cgroup")
OWN_CGROUPS: Final = Path("/proc/self/cgroup")
PRESSURE: Final = Path("/proc/pressure/memory")


class MemoryLimit(NamedTuple):
    """Of one control group: the most bytes, and those of them in use."""

    most: int
    used: int


class Stall(NamedTuple):
    """The share of the last ten seconds, in percent, in which some, or all, had to wait for memory."""

    some: float
    full: float


class Cgroups:
    """Reads them; the folders are found once."""

    def __init__(self) -> None:
        self._root = CGROUPS
        self._own = OWN_CGROUPS
        self._pressure = PRESSURE
        self._memory = tuple(self._groups("memory"))
        self._cpu = tuple(self._groups("cpu"))

    def cpu_shares(self) -> Iterator[float]:
        """Cores that each group may use. Source: cgroup v2 `cpu.max` ("QUOTA PERIOD", microseconds, or "max PERIOD");
        v1 `cpu.cfs_quota_us` (-1: none)."""
        for group in self._cpu:
            quota, _, period = _text(group / "cpu.max").partition(" ")
            if not quota:
                quota, period = _text(group / "cpu.cfs_quota_us"), _text(group / "cpu.cfs_period_us")
            if quota.isdigit() and period.isdigit() and int(period) > 0:
                yield int(quota) / int(period)

    def memory(self) -> Iterator[MemoryLimit]:
        """Each limit. Source: cgroup v2 `memory.max` ("max": none) and `memory.current`; v1 `memory.limit_in_bytes` and
        `memory.usage_in_bytes`. Files in the page cache count as used there, though they are given up on demand; here
        they do not."""
        for group in self._memory:
            for limit, used, cached in (
                ("memory.max", "memory.current", "inactive_file"),
                ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
            ):
                most, now = _text(group / limit), _text(group / used)
                if most.isdigit() and now.isdigit():
                    yield MemoryLimit(int(most), max(0, int(now) - _statistic(group / "memory.stat", cached)))

    def stall(self) -> Stall:
        """The worst of the machine's and the groups'. Source: PSI, `/proc/pressure/memory` and cgroup v2
        `memory.pressure`; nothing where the kernel has neither."""
        stalls = [
            _stall(file) for file in (self._pressure, *(one / "memory.pressure" for one in self._memory))
        ]
        return Stall(max(one.some for one in stalls), max(one.full for one in stalls))

    def _groups(self, controller: str) -> Iterator[Path]:
        """The folders of this process's control group and of all above it: each may set a limit."""
        for line in _text(self._own).splitlines():
            _, _, rest = line.partition(":")
            controllers, _, path = rest.partition(":")
            if not controllers:
                root = self._root
            elif controller in controllers.split(","):
                root = self._root / controller
            else:
                continue
            # A container sees its own group as the root, whatever the path says.
            own = root.joinpath(*Path(path).parts[1:])
            for group in (own, *own.parents):
                if group.is_dir():
                    yield group
                if group == root:
                    break


def _stall(file: Path) -> Stall:
    """Of lines such as `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`."""
    found = {"some": 0.0, "full": 0.0}
    for line in _text(file).splitlines():
        kind, _, rest = line.partition(" ")
        _, _, share = rest.partition(" ")[0].partition("=")
        with suppress(ValueError):
            found[kind] = float(share)
    return Stall(found["some"], found["full"])


def _statistic(file: Path, name: str) -> int:
    found = (line.split() for line in _text(file).splitlines())
    return next((int(line[1]) for line in found if len(line) == 2 and line[0] == name), 0)


def _text(file: Path) -> str:
    with suppress(OSError, ValueError):
        return file.read_text("ascii").strip()
    return ""
