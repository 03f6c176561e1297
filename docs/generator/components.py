"""The page of the built-in components, kind by kind."""

from __future__ import annotations

import inspect
from typing import Final

from generator.markdown import page, schema_rows, table
from phimask.plugins.class_check import KINDS
from phimask.plugins.interfaces import Detector, Validator
from phimask.plugins.registry import Registry

_PLURALS: Final = {
    "partitioner": "Partitioners",
    "batch_sizer": "Batch sizers",
    "masker": "Maskers",
    "memory_governor": "Memory governors",
    "validator": "Validators",
    "executor": "Executors",
    "detector": "Detectors",
    "observer": "Observers",
}


def text(registry: Registry) -> str:
    """The page. Other providers' are left out."""
    parts = []
    for kind in KINDS:
        parts.append(f"## {_PLURALS[kind]}")
        if kind == "masker":
            parts.append("They have [pages of their own](maskers/README.md).")
            continue
        for name, registration in registry.classes(kind).items():
            if registration.cls.__module__.partition(".")[0] != "phimask_plugins":
                continue
            if issubclass(registration.cls, Detector) and not registration.cls.by_default:
                continue  # an extra's: pages must not depend on what is installed; the how-to tells of it
            parts.append(f"### `{name}`")
            parts.append(inspect.cleandoc(registration.cls.__doc__ or ""))
            if issubclass(registration.cls, Validator):
                phases = [one for one in ("before", "during", "after") if one in registration.cls.phases]
                parts.append(f"Asked: {', '.join(phases)}.")
            schema = registry.options_schema(kind, name)
            found = list(schema_rows(schema, schema))
            parts.append(table(("option", "type", "default", "is"), found) if found else "No options.")
    return page(
        "Components",
        "A component is chosen by name, in a profile or in a rule: `name`, or `{name: NAME, options: {...}}`. Sizes "
        "are written like `64MB`, times like `8s`. `phimask plugins show NAME` shows the same, for other people's "
        "plugins as well.",
        *parts,
    )
