"""What a sample shows of a collection nobody has written rules for: its fields, and which of them look like PHI.

Values are looked at and let go of; what stays are paths, BSON types, labels and counts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import bson

from phimask.masking.automaton import NO_RULE, State, automaton
from phimask.masking.bson_types import LOSSLESS, PYTHON_ALIASES
from phimask.plugins.interfaces import Detector
from phimask.plugins.values import Wildcard

Segments: TypeAlias = tuple[str | Wildcard, ...]

TEXTS: Final = 100
"""Values of one field that detectors are shown,"""
_CHARACTERS: Final = 4000
"""and so much of each."""
_NUMBER: Final = re.compile(r"\d{4}")
"""What a key is not shown with, here as in a plan: a record's number, a telephone's, a date."""
_MOST_KEYS: Final = 64
"""With more different keys than this a sub-document may hold data in them, rather than names of fields: if each is in
few documents, or if there is the like behind nearly all of them."""
_FEW: Final = 0.25
_NEARLY_ALL: Final = 0.8
_WHOLE: Final = 0.8
"""The share of a value's characters from which on it is nothing else than what was detected."""
_WORDS: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[_\-\s]+")
_PROSE: Final = frozenset({"NAME", "LOCATION", "ID", "AGE"})
"""Labels that ordinary names of fields may get: no sign that a key is data."""


@dataclass(slots=True)
class Field:
    """A field of the sample: where it is, how many documents have it, the BSON types of its values, how many values
    detectors were shown, and of these how many have a label in them and how many are nothing else. `rule`: the place
    of the rule that covers it among those given, or NO_RULE."""

    path: Segments
    documents: int = 0
    types: Counter[str] = field(default_factory=Counter)
    shown: int = 0
    found: Counter[str] = field(default_factory=Counter)
    whole: Counter[str] = field(default_factory=Counter)
    detected: int = 0
    characters: int = 0
    rule: int = NO_RULE


@dataclass(slots=True)
class Discovery:
    """All fields, in the order of their paths as documents have them, and sub-documents whose keys are data: their
    paths, with the labels that detectors gave to keys. `documents` that were looked at, `unreadable` besides."""

    fields: list[Field] = field(default_factory=list)
    keys: dict[Segments, set[str]] = field(default_factory=dict)
    documents: int = 0
    unreadable: int = 0


class _Node:
    """A key of the sample: what stands there, and below it."""

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.documents = 0
        self.last = -1
        self.types: Counter[str] = Counter()
        self.texts: list[str] = []

    def holds_data_in_keys(self) -> bool:
        """By numbers in them, how many keys there are, how often each is met, and what is behind them."""
        if any(_NUMBER.search(key) for key in self.children):
            return True
        children = self.children.values()
        if len(children) <= _MOST_KEYS:
            return False
        alike = Counter((frozenset(one.children), frozenset(one.types)) for one in children)
        often = sum(one.documents for one in children) / len(children)
        return often < _FEW * self.documents or alike.most_common(1)[0][1] >= _NEARLY_ALL * len(children)

    def merge(self, other: _Node) -> None:
        """Take in what stands under another key."""
        for key, child in other.children.items():
            self.children.setdefault(key, _Node()).merge(child)
        self.documents += other.documents
        self.types += other.types
        self.texts = (self.texts + other.texts)[:TEXTS]


def discover(
    documents: Iterable[bytes], rules: Sequence[Segments], detectors: Sequence[Detector]
) -> Discovery:
    """Look at raw documents. `rules` are the paths of rules there are already, the last that covers a field wins."""
    found = Discovery()
    root = _Node()
    for raw in documents:
        try:
            document = bson.decode(raw, LOSSLESS)
        except Exception:  # noqa: BLE001  (PyMongo raises several, and their messages hold values)
            found.unreadable += 1
            continue
        _gather(document, root, found.documents)
        found.documents += 1
    state: State | None = automaton(rules)
    _Look(found, detectors).below(root, (), state)
    return found


def _gather(document: dict[str, Any], node: _Node, number: int) -> None:
    for key, value in document.items():
        child = node.children.get(key)
        if child is None:
            child = node.children[key] = _Node()
        _note(value, child, number)


def _note(value: Any, node: _Node, number: int) -> None:
    if isinstance(value, list):
        for element in value:
            _note(element, node, number)
        return
    if node.last != number:
        node.last = number
        node.documents += 1
    if isinstance(value, dict):
        _gather(value, node, number)
        return
    node.types[PYTHON_ALIASES.get(type(value), "other")] += 1
    if (
        isinstance(value, str | int)
        and not isinstance(value, bool)
        and value != ""
        and len(node.texts) < TEXTS
    ):
        node.texts.append(str(value)[:_CHARACTERS])


class _Look:
    """Goes through what was gathered, and asks detectors."""

    def __init__(self, found: Discovery, detectors: Sequence[Detector]) -> None:
        self._found = found
        self._detectors = detectors

    def below(self, node: _Node, path: Segments, state: State | None) -> None:
        """All fields below a key."""
        children = node.children
        if path and children:
            labels = self._labels_of_keys(children)
            if labels or node.holds_data_in_keys():
                self._found.keys[path] = labels
                any_key = _Node()
                for child in children.values():
                    any_key.merge(child)
                after = None if state is None else state.other
                self._one((*path, Wildcard.ANY_KEY), "", any_key, after)
                return
        for key, child in children.items():
            named = None if state is None else state.named.get(key)
            after = named[0] if named is not None else None if state is None else state.other
            self._one((*path, key), key, child, after)

    def _one(self, path: Segments, key: str, node: _Node, state: State | None) -> None:
        if node.types:
            one = Field(path, node.documents, node.types, rule=NO_RULE if state is None else state.winner)
            self._detect(one, key, node.texts)
            self._found.fields.append(one)
        self.below(node, path, state)

    def _detect(self, one: Field, key: str, texts: Sequence[str]) -> None:
        """Each value is shown as it stands, and behind its field's name, by which many kinds of numbers are known: what
        it is only there is believed first."""
        before = " ".join(_WORDS.split(key)) + ": " if key else ""
        for text in texts:
            one.shown += 1
            one.characters += len(text)
            labels, whole = self._labels(text, "")
            if before:
                more, named = self._labels(text, before)
                labels, whole = labels | more, named - whole or whole
            one.detected += bool(labels)
            one.found.update(labels)
            one.whole.update(whole)

    def _labels(self, text: str, before: str) -> tuple[set[str], set[str]]:
        """The labels of what is detected in a text, and of what is hardly less than all of it."""
        labels: set[str] = set()
        whole: set[str] = set()
        for start, end, label in self._detections(before + text):
            covered = end - max(start, len(before))
            if covered > 0:
                labels.add(label)
                if covered >= _WHOLE * len(text):
                    whole.add(label)
        return labels, whole

    def _detections(self, text: str) -> Iterator[tuple[int, int, str]]:
        for detector in self._detectors:
            for detection in detector.detect(text):
                yield detection.start, detection.end, detection.label

    def _labels_of_keys(self, children: Collection[str]) -> set[str]:
        """What keys are that look like data all through: any of them, or half of them where names of fields may."""
        found = Counter(
            label
            for key in children
            for label in {
                label for start, end, label in self._detections(key) if end - start >= _WHOLE * len(key)
            }
        )
        least = max(2, len(children) / 2)
        return {label for label, count in found.items() if label not in _PROSE or count >= least}
