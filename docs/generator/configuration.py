"""The page of phimask.yaml, profiles and collection files: every key, and the shipped profiles' values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from generator.markdown import page, schema_rows, shown, table
from phimask.config.data import shipped, shipped_schema
from phimask.config.profile import load_profile
from phimask.plugins.registry import Registry

_DURATIONS: Final = frozenset({"target", "longest", "slow_batch", "cool_down", "max_batch", "initial"})
_SIZES: Final = frozenset({"target_size", "bytes", "soft", "hard", "memory", "max_memory"})


def text(registry: Registry) -> str:
    """The page."""
    head = ("key", "type", "default", "is")
    parts = []
    for kind, title in (
        ("project", "phimask.yaml"),
        ("collection", "Collection files and rule packs"),
        ("profile", "Profiles"),
    ):
        schema = shipped_schema(kind)
        parts += [f"## {title}", schema["description"], table(head, schema_rows(schema, schema))]
        if kind == "profile":
            parts.append(
                "A profile that extends none has to name `description`, all components, `breaker`, `retry`, `check` "
                "and `prescan` with everything in them. A component is a name, or `{name, options}`: "
                "see [components](components.md)."
            )
    return page(
        "Configuration files",
        "`phimask schema profile|collection|project` prints the JSON Schemas of these files for editors. A key that "
        "is not listed here is an error. Sizes take the units B, kB, MB, GB, TB, KiB, MiB, GiB and TiB; durations ms, "
        "s, m, h and d. `${NAME}`, `${NAME:-default}` and `${NAME:?message}` take the place of environment "
        "variables; `$${` stands for the characters `${`.",
        *parts,
        "## The shipped profiles",
        "With `extends` worked in. Each file explains each of its values: "
        + ", ".join(f"[{name}](../../profiles/{name}.yaml)" for name in shipped("profile"))
        + ".",
        _shipped_profiles(registry),
    )


def _shipped_profiles(registry: Registry) -> str:
    names = list(shipped("profile"))
    columns = []
    for name in names:
        profile = load_profile(name, directory=Path(__file__).parent, environ={}, components=registry)
        columns.append(dict(_flat(profile)))
    keys = list(dict.fromkeys(key for column in columns for key in column))
    return table(
        ("", *names),
        (
            [f"`{key}`", *(column.get(key, "") for column in columns)]
            for key in sorted(keys, key=_profile_order)
        ),
    )


def _profile_order(key: str) -> int:
    known = list(shipped_schema("profile")["properties"])
    return known.index(key.partition(".")[0])


def _flat(profile: Any) -> Iterator[tuple[str, str]]:
    for kind in ("partitioner", "batch_sizer", "memory_governor", "executor"):
        choice = getattr(profile, kind)
        yield kind, choice.name
        for option, value in choice.options.items():
            yield f"{kind}.options.{option}", _setting(option, value)
    yield "validators", ", ".join(one.name for one in profile.validators)
    yield "observers", ", ".join(one.name for one in profile.observers)
    for part in ("breaker", "canary", "retry"):
        settings = getattr(profile, part)
        for name in settings.__dataclass_fields__ if settings is not None else ():
            shown = "max_batch" if name == "max_batch_seconds" else name
            yield f"{part}.{shown}", _setting(shown, getattr(settings, name))
    throttle = profile.throttle
    if throttle.replica_lag is not None:
        yield "throttle.replica_lag.pause", f"{throttle.replica_lag.pause:g}s"
        yield "throttle.replica_lag.resume", f"{throttle.replica_lag.resume:g}s"
    yield "throttle.flow_control", str(throttle.flow_control).lower()
    yield (
        "throttle.windows",
        ", ".join(f"{one.opens:%H:%M} to {one.closes:%H:%M}" for one in throttle.windows),
    )
    yield "throttle.flag_file", "" if throttle.flag_file is None else throttle.flag_file.as_posix()
    vault = profile.undo.vault
    yield "undo.vault", vault.as_posix() if isinstance(vault, Path) else ""
    for name, limit in asdict(profile.alerts).items():
        yield f"alerts.{name}", _alert(name, limit)
    yield "check.sample", str(profile.check_sample)
    yield "prescan.documents", str(profile.prescan)
    for name, most in asdict(profile.complexity).items():
        yield f"complexity.{name}", ", ".join(f"{what} {count}" for what, count in most.items())
    yield "strict", str(profile.strict).lower()


def _alert(rule: str, limit: Any) -> str:
    if rule == "slow" and limit is not None:
        return ", ".join(f"{what} {value:g}" for what, value in limit.items())
    if rule in ("batch", "holding") and limit is not None:
        return f"{limit:g}s"
    return _setting(rule, limit)


def _setting(name: str, value: Any) -> str:
    """A profile's value as one would write it: bytes and seconds get their units back."""
    if name in _DURATIONS:
        return f"{value:g}s"
    if name in _SIZES and value is not None:
        return f"{value / 1e9:g}GB" if value >= 1e9 else f"{value / 1e6:g}MB"
    return shown(value).strip("`")
