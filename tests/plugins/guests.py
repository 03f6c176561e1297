"""Plugin files for tests to write, and the classes that most of them need."""

from __future__ import annotations

from pathlib import Path

INITIALS = '''
from phimask import Column, Masker, hookimpl


class Initials(Masker):
    """Keeps the initials: "Ada Lovelace" becomes "A. L."."""

    name = "initials"
    types = frozenset({"string"})
    changes = "maybe"

    def mask(self, column: Column) -> list[str]:
        return [" ".join(f"{word[0]}." for word in value.split()) for value in column.values]


@hookimpl
def phimask_register_maskers() -> list[type[Masker]]:
    return [Initials]
'''


def masker_file(directory: Path, name: str, **attributes: object) -> str:
    """Writes a plugin file with one masker called `name`; answers the file's name."""
    lines = "\n".join(f"    {key} = {value!r}" for key, value in attributes.items())
    source = (
        "from phimask import Masker, hookimpl\n\n\n"
        "class Guest(Masker):\n"
        f"    name = {name!r}\n{lines}\n"
        "    def mask(self, column):\n"
        "        return list(column.values)\n\n\n"
        "@hookimpl\n"
        "def phimask_register_maskers():\n"
        "    return [Guest]\n"
    )
    file = f"{name}_plugin.py"
    (directory / file).write_text(source, encoding="utf-8")
    return file


def file_with(directory: Path, source: str, file: str = "guest.py") -> str:
    """Writes a plugin file; answers its name."""
    (directory / file).write_text(source, encoding="utf-8")
    return file
