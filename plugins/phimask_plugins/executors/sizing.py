"""How many workers a machine bears: its cores and its memory, and what a container leaves of them."""

from __future__ import annotations

import os

import psutil

from phimask_plugins.cgroups import Cgroups


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
    known += [max(1, int(share)) for share in Cgroups().cpu_shares()]
    return min(known)


def available_memory() -> int:
    """Bytes that can still be given out without swapping, to this process's container."""
    left = [max(0, one.most - one.used) for one in Cgroups().memory()]
    return min([psutil.virtual_memory().available, *left])
