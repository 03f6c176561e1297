"""The names and places that are known by themselves, looked for together."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from phimask_plugins.detectors.chat import chat_names
from phimask_plugins.detectors.dictionary import Dictionary
from phimask_plugins.detectors.gazetteer import CITIES, HOSPITALS
from phimask_plugins.detectors.scanning import Scan
from phimask_plugins.detectors.words import names


@functools.cache
def _dictionary() -> Dictionary:
    return Dictionary(names().alone | chat_names() | CITIES | HOSPITALS)


def known(seen: Scan) -> Sequence[tuple[int, int]]:
    """Where they stand in a text, looked up once for all detectors."""
    if seen.known is None:
        seen.known = _dictionary().find(seen.form.text)
    return seen.known
