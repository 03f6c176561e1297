"""A new masker to begin from: a plugin file that works, and a test of it that passes."""

from __future__ import annotations

import importlib.util
import keyword
import os
import sys
from pathlib import Path
from string import Template
from typing import Final

from phimask.errors import UsageError
from phimask.plugins.class_check import NAME

_MASKER: Final = Template('''"""The masker `$name`: name this file under `plugins:` in phimask.yaml."""

import re

from phimask import Column, Masker, hookimpl


class $cls(Masker):
    """Puts x in place of every letter and 0 in place of every digit: "Ada, 36" becomes "xxx, 00"."""

    name = "$name"
    types = frozenset({"string"})  # the BSON types it takes; phimask redacts all others
    changes = "maybe"  # "xxx" stays "xxx"
    idempotent = True  # a mask, masked again, stays as it is

    def mask(self, column: Column) -> list[str]:
        """As many masks as there are values, in the same order."""
        return [re.sub(r"\\d", "0", re.sub(r"[^\\W\\d_]", "x", value)) for value in column.values]


@hookimpl
def phimask_register_maskers() -> list[type[Masker]]:
    """Called once, when a run begins."""
    return [$cls]
''')

_TEST: Final = Template('''"""Tests of the masker `$name`: what every masker has to keep, and what this one is for."""

from phimask import Column
from phimask.testing import check_masker

from $name import $cls


def test_keeps_what_every_masker_has_to() -> None:
    check_masker($cls, examples=["Ada Lovelace, 36"])


def test_masks_letters_and_digits() -> None:
    column = Column("Patient.Name", ["Ada Lovelace, 36", ""], [])
    assert $cls({}).mask(column) == ["xxx xxxxxxxx, 00", ""]
''')


def new_masker(name: str, directory: Path) -> list[Path]:
    """Write `<name>.py`, a working masker plugin, and `test_<name>.py`, which passes under pytest.

    Answers both paths. Raises UsageError, and writes nothing, for a name that a masker or its module cannot
    have, a directory that is not there or cannot be written, and files that exist already.
    """
    _check_name(name)
    if not directory.is_dir():
        raise UsageError(f"there is no directory {directory}; make it first, or name another")
    words = {"name": name, "cls": "".join(word.capitalize() for word in name.split("_"))}
    texts = {
        directory / f"{name}.py": _MASKER.substitute(words),
        directory / f"test_{name}.py": _TEST.substitute(words),
    }
    for path in texts:
        if os.path.lexists(path):
            raise UsageError(f"{path} exists already; choose another name or directory")
    if importlib.util.find_spec(name) is not None:
        raise UsageError(f"{name} is the name of a Python module that is installed; choose another")
    written: list[Path] = []
    try:
        for path, text in texts.items():
            # "x": a file that appeared meanwhile is somebody's work.
            with path.open("x", encoding="utf-8", newline="\n") as file:
                written.append(path)
                file.write(text)
    except OSError as error:
        for path in written:
            path.unlink(missing_ok=True)
        raise UsageError(f"cannot write to {directory}: {error.strerror}; choose another directory") from None
    return written


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name) or not name.strip("_"):
        raise UsageError(
            f"{name!r} is no name for a masker; use lower case letters, digits and underscores, a letter first"
        )
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        raise UsageError(f"{name} is a word of Python's own; choose another name")
    if name in sys.stdlib_module_names:
        raise UsageError(f"{name} is the name of a module of Python's own; choose another")
