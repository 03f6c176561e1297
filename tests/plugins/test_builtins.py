"""Every built-in component is registered as a guest would be, and passes the kit that guests are checked by."""

from __future__ import annotations

import pkgutil
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import pytest

import phimask_plugins
from phimask import Component, Masker
from phimask.plugins.class_check import KINDS, kind_of
from phimask.plugins.loading import load_registry
from phimask.testing import check, check_masker

REGISTRY = load_registry()
PACKAGES = {"memory_governor": "memory_governors", **{kind: f"{kind}s" for kind in KINDS}}
FAKE_KINDS = REGISTRY.options_schema("masker", "fake")["properties"]["kind"]["enum"]

OPTIONS: Mapping[str, tuple[Mapping[str, Any], ...]] = {
    "age_cap": ({"over": 59, "cap": 60}, {"as_of": "2024-06-30"}),
    "adaptive": (
        {"target": "500ms", "longest": "2s", "documents": 10, "first_documents": 1, "bytes": "64kB"},
    ),
    "date_shift": (
        {"max_days": 1},
        {"max_days": 30, "min_days": 7},
        {"scope": "collection", "keep": []},
        {"scope": "document", "keep": ["time_of_day", "weekday"]},
        {"keep": ["time_of_day", "season"], "formats": ["%d.%m.%Y", "%B %d, %Y"]},
    ),
    "date_truncate": ({"to": "month"}, {"to": "day"}, {"to": "quarter"}, {"to": "decade"}),
    "encrypt": ({"output": "binData"},),
    "fhir_id": ({"form": "reference"},),
    "fixed": ({"documents": 1, "bytes": 1},),
    "fpe": (
        {"alphabet": "alphanumeric"},
        {"check": "luhn_valid", "allow_small": True},
        {"check": "npi_invalid"},
    ),
    "fpe_decrypt": ({"alphabet": "hex", "tweak": "visits"},),
    "free_text": ({"style": "tag", "min_confidence": 0}, {"html": True}),
    "hash": ({"length": 8}, {"length": 64}, {"encoding": "base32"}, {"encoding": "integer", "length": 12}),
    "paginate": ({"documents": 1}, {"documents": 7}, {"documents": 1000}),
    "partial": ({"first": 1, "last": 4}, {"first": 0, "last": 2, "character": "#", "keep_separators": False}),
    "perturb": ({"absolute": 3}, {"percent": 10, "min": 0, "max": 100.5}),
    "pseudonym": ({"style": "syllables", "length": 14, "prefix": "P-"}, {"length": 8, "memory": "100kB"}),
    "redact": ({"text": "gone"}, {"keep_length": True}),
    "refresh_uid": ({"keep_time": True},),
    "round": ({"digits": 2}, {"digits": -2}, {"multiple": 7}, {"multiple": 0.25}),
    "rss": ({"soft": "1.5GB", "hard": "2GB"},),
    "sample": ({"target_size": "16MB", "samples_per_partition": 1}, {"target_size": "10GB"}),
    "zip3": ({"style": "short"}, {"low_population": []}),
}
"""Beside the defaults. `replace` and `fake` have none: what they are to put in place is always said."""

CHILD = """
import json, sys
for line in sys.stdin:
    values = json.loads(line)["values"]
    print(json.dumps({"values": [v[::-1] + "!" if isinstance(v, str) else None for v in values]}), flush=True)
"""

NEEDED: Mapping[str, tuple[Mapping[str, Any], ...]] = {
    "replace": ({"value": "x"}, {"value": 7}, {"value": 2**40}, {"value": 0.5}, {"value": True}),
    "fake": (
        *({"kind": kind} for kind in FAKE_KINDS),
        *({"kind": kind, "unique": True} for kind in ("mrn", "postcode", "email", "ipv6")),
        *({"kind": kind, "check": "valid"} for kind in ("npi", "vin", "iban")),
        {"kind": "full_name", "keep": ["length", "gender"], "locale": "de_DE"},
        {"kind": "email", "keep": ["domain"], "cache": "10kB"},
    ),
    "chain": (
        {"maskers": ["hash"]},
        {
            "maskers": [
                {"name": "partial", "options": {"first": 1}},
                {"name": "hash", "options": {"length": 16}},
            ]
        },
        {"maskers": ["date_shift", "date_truncate"]},
        {"maskers": ["partial", "nullify"]},
        {"maskers": ["remove"]},
        {"maskers": ["keep", "redact"]},
        {"maskers": [{"name": "derive", "options": {"from": "LastName"}}, "hash"]},
    ),
    "choice": (
        {"values": ["a", "b", "c"]},
        {"values": [1, 2.5, True, "x"], "weights": [1, 0, 2, 0.5]},
        {"values": [f"choice {number}" for number in range(500)], "by": "subject"},
    ),
    "command": ({"command": [sys.executable, "-I", "-S", "-c", CHILD], "timeout": "20s"},),
    "derive": ({"from": "Patient.LastName"}, {"template": "{LastName} M.", "as": "initials"}),
    "generalize": (
        {"width": 10},
        {"width": 0.5, "show": "range", "top": 90},
        {"edges": [0, 18, 65], "show": "range"},
        {"edges": [0, 18], "labels": ["none", "child", "adult"]},
        {"bottom": 10, "top": 90},
        {"map": {"female": "F", "7": 1}},
        {"map": {"female": "F"}, "default": "other"},
        {"prefix": 3},
        {"period": "decade"},
    ),
    "regex_replace": (
        {"pattern": "[0-9]", "replacement": "#"},
        {"pattern": r"(\w)(\w)", "replacement": r"\2\1", "count": 1, "unmatched": "keep"},
    ),
}

EXAMPLES: Mapping[str, tuple[Any, ...]] = {"decrypt": ("phimask:siv:1:gKGXiOBpoU0ZuofFXlWWIbMo7p4yD8Sruw",)}
"""For what can mask nothing but what another made, under the key that the kit gives."""


def components() -> Iterator[Any]:
    for kind in KINDS:
        for name, registration in REGISTRY.classes(kind).items():
            has_defaults = not REGISTRY.options_schema(kind, name).get("required")
            for options in NEEDED.get(
                name, ({}, *OPTIONS.get(name, ())) if has_defaults else OPTIONS.get(name, ())
            ):
                yield pytest.param(
                    registration.cls, options, id=f"{name}-{'-'.join(map(str, options.values()))[:60]}"
                )


@pytest.mark.parametrize(("cls", "options"), list(components()))
def test_every_built_in_conforms(
    cls: type[Component], options: Mapping[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # what writes a file unless told otherwise does so in the current folder
    if cls.name in EXAMPLES:
        check_masker(cast("type[Masker]", cls), options, EXAMPLES[cls.name])
    else:
        check(cls, options)


@pytest.mark.parametrize("kind", KINDS)
def test_every_class_of_a_kinds_package_is_registered(kind: str) -> None:
    package = import_module(f"phimask_plugins.{PACKAGES[kind]}")
    modules = [
        import_module(found.name) for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    ]
    defined = {
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and kind_of(value) == kind and "name" in vars(value)
    }
    # What needs an extra is registered only where that is installed.
    usual = {cls for cls in defined if getattr(cls, "by_default", True)}
    # Detectors are listed in a module beside the package's own, which only who needs them imports.
    registered = import_module("phimask_plugins.detectors.registered") if kind == "detector" else package
    assert set(registered.ALL) == usual
    assert usual <= {registration.cls for registration in REGISTRY.classes(kind).values()} <= defined


def test_all_of_them_come_from_the_one_plugin() -> None:
    providers = {one.provider for kind in KINDS for one in REGISTRY.classes(kind).values()}
    assert len(providers) == 1
    assert providers.pop().startswith("builtin (phimask ")


def test_the_packages_are_the_kinds() -> None:
    packages = {found.name for found in pkgutil.iter_modules(phimask_plugins.__path__) if found.ispkg}
    assert packages == set(PACKAGES.values())
