"""The throttle of a profile: from the checked tree to settings, with what no schema can say about time zones."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from phimask.config.model import ReplicaLag, ThrottleSettings, TimeWindow
from phimask.config.nodes import Node, mapping, plain, sequence, text_of
from phimask.config.wording import closest, fault_at, quoted
from phimask.errors import Fault


def throttle_settings(tree: Node, faults: list[Fault]) -> ThrottleSettings | None:
    """What `throttle:` says. None where anything is wrong already, or is added to `faults` here."""
    for window in sequence(mapping(tree).get("windows", tree)):
        _check_zone(mapping(window).get("zone"), faults)
    if faults:
        return None
    values = plain(tree)
    lag, flag_file = values["replica_lag"], values["flag_file"]
    return ThrottleSettings(
        replica_lag=None if lag is None else ReplicaLag(pause=lag["pause"], resume=lag["resume"]),
        flow_control=values["flow_control"],
        windows=tuple(map(_window, values["windows"])),
        flag_file=None if flag_file is None else Path(flag_file),
    )


def _window(written: Mapping[str, Any]) -> TimeWindow:
    closes = written["to"]
    return TimeWindow(
        opens=time.fromisoformat(written["from"]),
        closes=time() if closes == "24:00" else time.fromisoformat(closes),
        days=tuple(written["days"]),
        zone=written["zone"],
    )


def _check_zone(node: Node | None, faults: list[Fault]) -> None:
    name = text_of(node)
    if node is None or not name or node.broken:
        return
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        # ZoneInfo lets OSError through where the name is that of a folder, such as Europe
        guess = closest(name, available_timezones())
        right = f"did you mean '{guess}'?" if guess else "write an IANA name such as Europe/Berlin"
        faults.append(fault_at(node.origin, f"{quoted(node.written)} is no time zone known here", right))
