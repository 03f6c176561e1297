"""The pre-scan: a sample of documents tells which rules match, what to read, and how uneven the rest may be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import bson

from phimask.config.model import Limits
from phimask.masking.automaton import NO_RULE, State, automaton_of, nameable
from phimask.masking.bson_types import LOSSLESS, PYTHON_ALIASES
from phimask.masking.columns import BoundRule
from phimask.masking.encoded_walk import EncodedWalk
from phimask.masking.siblings import without_indices
from phimask.masking.unmapped import names_field, shown_path
from phimask.path_counts import PathCounts
from phimask.planning.classifier import Classifier, Seen
from phimask.planning.complexity import CLASSES, shape
from phimask.plugins.interfaces import Detector
from phimask.plugins.values import ComplexityClass, DocumentId
from phimask.rawbson import MalformedBsonError
from phimask.store.raw import identity
from phimask.store.writing import empty_timestamps

_PRUNING_PAYS_FROM: Final = 8192
"""Bytes a document that nobody needs: below, an exclusion costs the server more than it saves the client."""
_OFTEN: Final = 0.1
"""Of the documents: a key that fewer have may be data."""
_DETECTED_TEXTS: Final = 20
"""Texts of one path that detectors are shown."""


@dataclass(slots=True)
class Prescan:
    """What the sample showed. `matched` counts values per rule; `detected` names, for paths without a rule (`*` for
    keys that may be data), the labels that detectors gave to their values; sizes are BSON bytes. `seen` is what a
    classifier learns from, by `_id` since a sample may hold a document twice; `classifier` is one that has learnt from
    what the run reads of these. `empty_timestamps` counts documents with such at their top."""

    documents: int = 0
    unreadable: int = 0
    empty_timestamps: int = 0
    bytes: int = 0
    largest: int = 0
    matched: list[int] = field(default_factory=list)
    classes: Counter[ComplexityClass] = field(default_factory=lambda: Counter(dict.fromkeys(CLASSES, 0)))
    seen: dict[DocumentId, Seen] = field(default_factory=dict, repr=False)
    detected: dict[str, set[str]] = field(default_factory=dict)
    id_types: Counter[str] = field(default_factory=Counter)
    projection: Mapping[str, int] | None = None
    classifier: Classifier | None = None

    @property
    def mean_bytes(self) -> float:
        """Bytes of an average document; 0 where there is none."""
        return self.bytes / self.documents if self.documents else 0.0


def prescan(
    documents: Iterable[bytes],
    rules: Sequence[BoundRule],
    subject: tuple[str, ...] | None,
    detectors: Sequence[Detector],
    limits: Limits,
) -> Prescan:
    """Look at raw documents one by one; none is kept."""
    return _Scan(rules, subject, detectors, limits).over(documents)


class _Scan:
    def __init__(
        self,
        rules: Sequence[BoundRule],
        subject: tuple[str, ...] | None,
        detectors: Sequence[Detector],
        limits: Limits,
    ) -> None:
        self._limits = limits
        self._rules = rules
        self._root = automaton_of(rules)
        conditional = [rule.index for rule in rules if rule.when is not None]
        # What a condition lets win in some documents, a rule before it wins in the rest.
        self._otherwise = [
            automaton_of(rules, frozenset(conditional[place:])) for place in range(len(conditional))
        ]
        self._subject = subject
        self._detectors = detectors
        self._found = Prescan(matched=[0] * len(rules))
        self._encoded = EncodedWalk(rules, self._detect_inside if detectors else None)
        self._unneeded: Counter[str] = Counter()
        self._times: Counter[str] = Counter()
        self._shown: Counter[str] = Counter()
        self._unnamed = PathCounts()
        """All paths of texts that detectors are to see, and in place of types the labels that they gave."""

    def over(self, documents: Iterable[bytes]) -> Prescan:
        found = self._found
        for raw in documents:
            found.documents += 1
            found.bytes += len(raw)
            found.largest = max(found.largest, len(raw))
            found.empty_timestamps += bool(empty_timestamps(raw))
            self._note_class(raw)
            try:
                document = bson.decode(raw, LOSSLESS)
            except Exception:  # noqa: BLE001  (PyMongo raises several, and their messages hold values)
                found.unreadable += 1
                continue
            found.id_types[PYTHON_ALIASES.get(type(document.get("_id")), "other")] += 1
            self._detect("_id", document.get("_id"))
            self._document(document, self._root, "")
            for root in self._otherwise:
                if 0 in found.matched:
                    self._note_otherwise(document, root)
        found.projection = self._projection()
        for path, label in self._unnamed.told():
            if label:
                found.detected.setdefault(path, set()).add(label)
        return found

    def _note_class(self, raw: bytes) -> None:
        try:
            found, identified = shape(raw), identity(raw)
        except MalformedBsonError:
            return
        kind = found.complexity(self._limits)
        self._found.classes[kind] += 1
        self._found.seen[identified] = Seen(len(raw), raw.count(0), found, kind)

    def _document(self, document: dict[str, Any], state: State, prefix: str, *, named: bool = True) -> None:
        """`named`: a projection can name this document, nothing else by the same path, and no data: the ledger keeps
        it, a plan shows it, and the server logs it."""
        for key, value in document.items():
            found = state.named.get(key)
            below = state.other if found is None else found[0]
            path = f"{prefix}{key}"
            if below is None:
                if path == "_id":
                    continue
                if named and nameable(key) and names_field(key):
                    self._note_unneeded(path, value)
                self._detect(path, value)
            else:
                # A key that no rule spells out may be data: under a wildcard, nothing is left out.
                self._value(path, value, below, named=named and found is not None and found[1])

    def _value(self, path: str, value: Any, state: State, *, named: bool) -> None:
        if isinstance(value, dict):
            masker = None if state.winner == NO_RULE else self._rules[state.winner].masker
            if not (masker and masker.containers and state.final):
                self._document(value, state, f"{path}.", named=named)
                return
        elif isinstance(value, list):
            for element in value:
                self._value(path, element, state, named=named)
            return
        elif state.decoder != NO_RULE and value is not None:
            for index in self._inside(self._encoded, path, value, state):
                self._found.matched[index] += 1
            return
        if state.winner == NO_RULE:
            self._detect(path, value)
        elif value is not None:
            self._found.matched[state.winner] += 1

    def _note_otherwise(self, value: Any, state: State) -> None:
        """Count as matched what wins here where some conditions do not hold, and nowhere so far."""
        if isinstance(value, dict):
            for key, child in value.items():
                found = state.named.get(key)
                below = found[0] if found is not None else state.other
                if below is not None:
                    self._note_otherwise(child, below)
        elif isinstance(value, list):
            for element in value:
                self._note_otherwise(element, state)
        elif state.decoder != NO_RULE and value is not None:
            for index in self._inside(EncodedWalk(self._rules), "", value, state):
                self._found.matched[index] = self._found.matched[index] or 1
            return
        if value is not None and state.winner != NO_RULE and not self._found.matched[state.winner]:
            self._found.matched[state.winner] = 1

    def _inside(self, walk: EncodedWalk, path: str, value: Any, state: State) -> list[int]:
        """The rules of all there is in an encoded field; one that only says how a field is held has the field."""
        opened = walk.open(value, state, path)
        only_decode = [one.rule for one in opened.fields if not self._rules[one.rule].masker.types]
        broken = [state.decoder] if opened.broken else []
        return [*broken, *only_decode, *opened.kept, *(one.rule for one in opened.found)]

    def _detect_inside(self, place: str, value: str) -> None:
        self._detect(without_indices(place), value)

    def _note_unneeded(self, path: str, value: Any) -> None:
        below_subject = self._subject and ".".join(self._subject).startswith(path)
        if not below_subject and isinstance(value, dict | list | str | bytes):
            size = len(bson.encode({"": value})) if isinstance(value, dict | list) else len(value)
            self._unneeded[path] += size
            self._times[path] += 1

    def _detect(self, path: str, value: Any) -> None:
        if not self._detectors:
            return
        if isinstance(value, dict):
            for key, child in value.items():
                self._detect(f"{path}.{key}", child)
        elif isinstance(value, list):
            for child in value:
                self._detect(path, child)
        elif isinstance(value, str):
            self._detect_text(shown_path(path.split(".")), value)

    def _detect_text(self, path: str, text: str) -> None:
        keys = path.split(".")
        self._unnamed.count(keys, "")
        if self._shown[path] < _DETECTED_TEXTS:
            self._shown[path] += 1
            for detector in self._detectors:
                for detection in detector.detect(text):
                    self._unnamed.count(keys, detection.label)

    def _projection(self) -> Mapping[str, int] | None:
        """What to read of each document: whole top-level fields, or all but what the sample shows to be bulk.

        Both leave what they pass as it is stored. An inclusion of nested paths would not: it drops an array's
        scalar elements, so that indices shift.
        """
        root = self._root
        if root.other is not None or not self._found.documents:
            return None
        roots = [key for key, state, named in root.named_items if state is not None and named]
        if len(roots) < sum(state is not None for _, state, _ in root.named_items):
            return None
        if self._subject:
            roots.append(self._subject[0])
        often = _OFTEN * self._found.documents
        unneeded = {path: size for path, size in self._unneeded.items() if self._times[path] >= often}
        inside = sum(size for path, size in unneeded.items() if path.partition(".")[0] in roots)
        if inside / self._found.documents < _PRUNING_PAYS_FROM:
            return {"_id": 1, **dict.fromkeys(sorted(set(roots)), 1)}
        return dict.fromkeys(_without_nested(unneeded), 0)


def _without_nested(paths: Iterable[str]) -> list[str]:
    """The paths that lie within no other of them: a projection refuses both."""
    kept: list[str] = []
    for path in sorted(paths):
        if not any(path.startswith(f"{other}.") for other in kept):
            kept.append(path)
    return kept
