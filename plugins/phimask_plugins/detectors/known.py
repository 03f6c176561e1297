"""The names and places that are known by themselves, looked for together."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from phimask_plugins.detectors.chat import chat_names
from phimask_plugins.detectors.dictionary import Dictionary
from phimask_plugins.detectors.gazetteer import CITIES, HOSPITALS
from phimask_plugins.detectors.scanning import Seen
from phimask_plugins.detectors.words import names


@functools.cache
def _capitals() -> Dictionary:
    return Dictionary(names().alone | CITIES | HOSPITALS)


@functools.cache
def _lower() -> Dictionary:
    return Dictionary(chat_names())


def known(seen: Seen) -> Sequence[tuple[int, int]]:
    """Where they stand in a text with their capitals, looked up once for all detectors."""
    if seen.known is None:
        seen.known = _capitals().find(seen.form.text)
    return seen.known


def in_lower_case(seen: Seen) -> Sequence[tuple[int, int]]:
    """Where names stand without capitals. The dictionary is large, and of use for few texts."""
    return _lower().find(seen.form.text)
