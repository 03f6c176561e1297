"""How many workers a machine bears: its cores and its memory, and what a container leaves of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

_CGROUPS: Final = Path("/sys/fs/cgroup")
_OWN_CGROUPS: Final = Path("/proc/self/cgroup")


def bearable(memory: int, most: int) -> tuple[int, str]:
    """Workers of so many bytes each, 1 to `most`, and in words what sets their number.

    One core is left to the supervisor and the system.
    """
    bounds = (
        (cores() - 1, f"{cores()} cores less one"),
        (
            available_memory() // memory,
            f"{available_memory() / 1e9:.1f} GB available, {memory / 1e9:.1f} GB each",
        ),
        (most, f"{most} at most"),
    )
    number, why = min(bounds)
    return (number, why) if number > 0 else (1, f"at least one, though {why}")


def cores() -> int:
    """Physical cores, as far as this process may use them."""
    logical = psutil.cpu_count() or 1
    known = [psutil.cpu_count(logical=False) or logical]
    if hasattr(os, "sched_getaffinity"):
        known.append(len(os.sched_getaffinity(0)))
    known += [max(1, int(share)) for share in _cpu_shares()]
    return min(known)


def available_memory() -> int:
    """Bytes that can still be given out without swapping, to this process's container."""
    return min([psutil.virtual_memory().available, *_memory_left()])


def _cpu_shares() -> Iterator[float]:
    """Source: cgroup v2 `cpu.max` ("QUOTA PERIOD", microseconds, or "max PERIOD"); v1 `cpu.cfs_quota_us` (-1: none)."""
    for group in _groups("cpu"):
        quota, _, period = _text(group / "cpu.max").partition(" ")
        if not quota:
            quota, period = _text(group / "cpu.cfs_quota_us"), _text(group / "cpu.cfs_period_us")
        if quota.isdigit() and period.isdigit() and int(period) > 0:
            yield int(quota) / int(period)


def _memory_left() -> Iterator[int]:
    """Source: cgroup v2 `memory.max` ("max": none) and `memory.current`; v1 `memory.limit_in_bytes` and
    `memory.usage_in_bytes`. Files in the page cache count as used there, though they are given up on demand."""
    for group in _groups("memory"):
        for limit, used, cached in (
            ("memory.max", "memory.current", "inactive_file"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ):
            most, now = _text(group / limit), _text(group / used)
            if most.isdigit() and now.isdigit():
                yield max(0, int(most) - int(now) + _statistic(group / "memory.stat", cached))


def _statistic(file: Path, name: str) -> int:
    found = (line.split() for line in _text(file).splitlines())
    return next((int(line[1]) for line in found if len(line) == 2 and line[0] == name), 0)


def _groups(controller: str) -> Iterator[Path]:
    """The folders of this process's control group and of all above it: each may set a limit."""
    for line in _text(_OWN_CGROUPS).splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:
            root = _CGROUPS
        elif controller in controllers.split(","):
            root = _CGROUPS / controller
        else:
            continue
        # A container sees its own group as the root, whatever the path says.
        own = root.joinpath(*Path(path).parts[1:])
        for group in (own, *own.parents):
            if group.is_dir():
                yield group
            if group == root:
                break


def _text(file: Path) -> str:
    with suppress(OSError, ValueError):
        return file.read_text("ascii").strip()
    return ""
