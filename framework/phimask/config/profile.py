"""A profile: the file, what it extends, safe mode, `--set`, and from these one checked `Profile`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Any, Final

from phimask.config.components import FROM_FLAG, ComponentCatalog, choose, choose_all
from phimask.config.data import data_dir, first_own, shipped_schema, shown
from phimask.config.environment import substitute
from phimask.config.extends import lineage
from phimask.config.memory import memory_settings, refuse_excess
from phimask.config.merge import COMPONENT_KEYS, merge_profiles, nested
from phimask.config.model import (
    Alerts,
    Breaker,
    Canary,
    ClassLimits,
    Limits,
    Origin,
    Profile,
    Retry,
    SlowRun,
    WriteSettings,
)
from phimask.config.nodes import Node, at, below, mapping, plain
from phimask.config.schema_check import checked
from phimask.config.throttle import throttle_settings
from phimask.config.undo import refuse_credentials, undo_settings
from phimask.config.wording import fault_at, in_order, quoted
from phimask.config.yaml_lines import parse_value, read_yaml
from phimask.errors import ConfigError, Fault

SAFE_MODE_FILE: Final = "safe-mode.yaml"
"""In `profiles/overlays`: what `--safe-mode` lays over any profile."""

_NOT_TO_BE_SET: Final = {
    "extends": "name another profile with --profile",
    "version": "leave it out: it says which format a file has",
}


def load_profile(
    name: str,
    *,
    directory: Path,
    settings: Sequence[str] = (),
    safe_mode: bool = False,
    environ: Mapping[str, str],
    components: ComponentCatalog,
    said: Origin | None = None,
    by: Path | None = None,
) -> Profile:
    """The profile called `name` (or in that file), over what it extends.

    `settings` are texts `key.path=value`, which go over everything; safe mode goes over the files only. `said` and
    `by` are as in `lookup`. Raises ConfigError with all faults.
    """
    faults: list[Fault] = []
    laid_over = [tree for text in settings if (tree := _setting(text, faults)) is not None]
    try:
        files = lineage("profile", name, directory, environ, faults, said=said, by=by)
    except ConfigError as error:
        raise ConfigError(in_order([*faults, *error.faults])) from None
    path, own = files[-1]
    trees = [tree for _, tree in files]
    if safe_mode:
        overlay = data_dir("profiles") / "overlays" / SAFE_MODE_FILE
        trees.append(read_yaml(overlay, shown(overlay)))
    merged = replace(reduce(merge_profiles, trees + laid_over), origin=own.origin)
    refuse_credentials(merged, faults)
    tree = checked(substitute(merged, environ, faults), shipped_schema("profile"), faults)
    return _profile(path.stem, tree, components, faults)


def _setting(text: str, faults: list[Fault]) -> Node | None:
    """What one `--set` lays over a profile, or None where it is a fault."""
    path, equals, value = text.partition("=")
    keys = path.strip().split(".")
    origin = Origin(FROM_FLAG, None, reduce(below, keys, "$"))
    if not equals or not all(keys):
        # up to where it stops looking like keys: after a mistyped = may stand a secret
        path = re.split(r"[^\w.-]", path, maxsplit=1)[0]
        place = Origin(FROM_FLAG, None, "$")
        faults.append(
            fault_at(place, f"{quoted(path)} is no setting", "write key.path=value, such as breaker.trips=1")
        )
        return None
    if keys[0] in _NOT_TO_BE_SET:
        faults.append(fault_at(origin, f"{keys[0]} cannot be set here", _NOT_TO_BE_SET[keys[0]]))
        return None
    try:
        return nested(keys, parse_value(value, origin))
    except ConfigError as error:
        faults.extend(replace(fault, path=origin.path) for fault in error.faults)
        return None


def _profile(name: str, tree: Node, components: ComponentCatalog, faults: list[Fault]) -> Profile:
    keys = mapping(tree)
    single = {
        key: choose(key, keys[key], components, faults) if key in keys else None for key in COMPONENT_KEYS
    }
    many = {
        key: choose_all(key.removesuffix("s"), keys[key], components, faults) if key in keys else ()
        for key in ("validators", "observers")
    }
    throttle = throttle_settings(keys["throttle"], faults)
    undo = undo_settings(keys["undo"], faults)
    _refuse_contradictions(tree, faults)
    refuse_excess(tree, single["batch_sizer"], single["memory_governor"], faults)
    partitioner, batch_sizer, memory_governor, executor = (single[key] for key in COMPONENT_KEYS)
    if (
        faults
        or throttle is None
        or partitioner is None
        or batch_sizer is None
        or memory_governor is None
        or executor is None
    ):
        raise ConfigError(in_order(faults))
    values = plain(tree)
    breaker, canary, retry = values["breaker"], values["canary"], values["retry"]
    return Profile(
        name=name,
        description=values["description"],
        partitioner=partitioner,
        batch_sizer=batch_sizer,
        memory_governor=memory_governor,
        executor=executor,
        validators=many["validators"],
        observers=many["observers"],
        breaker=Breaker(
            failures=breaker["failures"],
            slow_batch=breaker["slow_batch"],
            memory=breaker["memory"],
            cool_down=breaker["cool_down"],
            trips=breaker["trips"],
        ),
        canary=None
        if canary is None
        else Canary(
            batches=canary["batches"],
            min_documents_per_second=float(canary["min_documents_per_second"]),
            max_memory=canary["max_memory"],
            max_batch_seconds=canary["max_batch"],
        ),
        retry=Retry(attempts=retry["attempts"], initial=retry["initial"], longest=retry["longest"]),
        write=WriteSettings(**values["write"]),
        throttle=throttle,
        undo=undo,
        memory=memory_settings(values["memory"]),
        alerts=_alerts(values["alerts"]),
        check_sample=values["check"]["sample"],
        check_after=None if values["check"].get("after", "all") == "all" else values["check"]["after"],
        prescan=values["prescan"]["documents"],
        complexity=Limits(**{name: ClassLimits(**most) for name, most in values["complexity"].items()}),
        strict=values["strict"],
        origin=tree.origin,
    )


def _alerts(values: Mapping[str, Any]) -> Alerts:
    slow = values["slow"]
    return Alerts(
        **{
            **values,
            "slow": None if slow is None else SlowRun(float(slow["documents_per_second"]), slow["over"]),
            "finished": bool(values["finished"]),
        }
    )


def _refuse_contradictions(tree: Node, faults: list[Fault]) -> None:
    """Pairs of values that are right alone and wrong together: the first may not be above the second."""
    refused = {fault.path for fault in faults}
    for low, high, wrong, right in (
        (
            ("retry", "initial"),
            ("retry", "longest"),
            "the first wait ({}) is longer than the longest ({})",
            "make initial the shorter one",
        ),
        (
            ("throttle", "replica_lag", "resume"),
            ("throttle", "replica_lag", "pause"),
            "work would go on at a lag ({}) at which it stands still ({})",
            "make resume the shorter one",
        ),
        (
            ("canary", "max_memory"),
            ("breaker", "memory"),
            "the canary allows more memory ({}) than the breaker does ({})",
            "make the canary's that or less: beyond it the breaker opens first",
        ),
        (
            ("canary", "max_batch"),
            ("breaker", "slow_batch"),
            "the canary allows longer batches ({}) than the breaker does ({})",
            "make the canary's that or less: beyond it the breaker opens first",
        ),
        *(
            (
                ("complexity", "simple", what),
                ("complexity", "medium", what),
                "a simple document may have more than a medium one ({} against {})",
                "make that of simple the smaller one",
            )
            for what in ("fields", "depth", "elements")
        ),
    ):
        first, second = at(tree, low), at(tree, high)
        if first.broken or second.broken or not _is_number(first) or not _is_number(second):
            continue
        if first.origin.path in refused or second.origin.path in refused:
            continue
        if plain(first) > plain(second):
            place = first_own([first.origin, second.origin])
            faults.append(fault_at(place, wrong.format(first.written, second.written), right))


def _is_number(node: Node) -> bool:
    return isinstance(node.value, int | float) and not isinstance(node.value, bool)
