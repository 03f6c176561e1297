"""Lists of words, kept as text beside this package: commas between them, comments after a number sign."""

from __future__ import annotations

from importlib import resources


def words(name: str) -> frozenset[str]:
    """The words and phrases of one list."""
    text = (resources.files("phimask_plugins.detectors") / "data" / f"{name}.txt").read_text(encoding="utf-8")
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    phrases = (" ".join(phrase.split()) for phrase in " ".join(lines).split(","))
    return frozenset(phrase for phrase in phrases if phrase)
