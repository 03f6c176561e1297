"""Validator `residual`: what the detectors take for PHI in texts of the masked collection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final

from phimask import Detector, DocumentPair, Finding, RuleFacts, Validator
from phimask_plugins.detectors.together import detect_each
from phimask_plugins.validators.compare import comparer_for
from phimask_plugins.validators.matcher import ENCODED, VALUE
from phimask_plugins.validators.parts import SPACE, Masked, Parts, Scalar, scalars, stretches
from phimask_plugins.validators.walk import STRING
from phimask_plugins.validators.words import words

STILL: Final = "a masked text still holds what a detector takes for {}"
UNMAPPED: Final = "a text that no rule names holds what a detector takes for {}"

_LEAST_LENGTH: Final = 15
_LEAST_SPACES: Final = 2
_IN_PART: Final = 4
_WHOLE: Final = 11
"""Spaces in a text of which its masker changes a part, or all: fewer are an address, or what a hospital is called."""
_MOST_CLEAN: Final = 50_000
_LONGEST_OLD: Final = 500
"""Bytes of a stretch that is remembered as none to look at."""


class Residual(Validator):
    """Detectors over texts: those that rules mask, and those that no rule names.

    A made-up name looks like a name. So in a masked text only what stood in the original text as well counts, and the
    values of fields that hold one name or number are left to `no_original`. In a text that no rule names everything
    counts that detectors are sure enough of; what a rule keeps is kept on purpose. A text has three words or more, a
    masked one five, or twelve where its masker always makes another of it. Without originals, masked texts are not
    judged.
    """

    name = "residual"
    phases = frozenset({"after"})
    needs_detectors = True
    needs_originals = False
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "min_confidence": {
                "type": "number",
                "minimum": 0,
                "maximum": 1,
                "default": 0.5,
                "description": "How sure a detector must be.",
            },
            "leave_out": {
                "type": "array",
                "items": {"type": "string"},
                "default": [],
                "description": "Labels that do not count, such as DATE.",
            },
        },
    }

    def __init__(
        self,
        options: Mapping[str, Any],
        rules: Sequence[RuleFacts] = (),
        detectors: Sequence[Detector] = (),
    ) -> None:
        """`min_confidence`, `leave_out`: see the schema."""
        super().__init__(options, rules)
        self._detectors = tuple(detectors)
        self._least: float = options.get("min_confidence", 0.5)
        self._left_out = frozenset(options.get("leave_out", ()))
        self._comparer = comparer_for(self.rules)
        self._clean: set[bytes] = set()
        self._old: set[bytes] = set()
        self._blind = False

    def document(self, pair: DocumentPair) -> Iterator[Finding]:
        """What is found, by path and label."""
        if pair.after is None:
            return
        found: Counter[tuple[str, str | None]] = Counter()
        if pair.before is None:
            self._blind = True
            self._unmapped(pair, pair.after, found)
        else:
            parts = self._comparer.parts(pair)
            self._masked(parts, found)
            if self._is_fresh(parts):
                self._unmapped(pair, pair.after, found)
        for (what, path), count in found.items():
            yield Finding(what, path, count)

    def _masked(self, parts: Parts, found: Counter[tuple[str, str | None]]) -> None:
        """Texts that were masked: what detectors find in them and in the originals alike."""
        texts: list[tuple[Masked, str]] = []  # with the rule's path
        for one in parts.masked:
            if one[3] != STRING or len(one[4]) < _LEAST_LENGTH or one[4].count(b" ") < _IN_PART:
                continue
            rule = one.state.rule
            if one.kind != STRING or rule is None:
                continue
            if one.state.in_part or one.new.count(b" ") >= _WHOLE:
                texts.append((one, rule.path))
        for (one, path), detected in zip(texts, self._detected([one.new for one, _ in texts]), strict=True):
            before = "".join(words(_text(one.old))) if detected else ""
            for label, stretch in detected:
                joined = "".join(words(stretch))
                if joined and joined in before:
                    found[STILL.format(label), path] += 1

    def _is_fresh(self, parts: Parts) -> bool:
        """Whether what no rule masks holds a text that was not looked at already."""
        new = parts.runs - self._old
        if not new:
            return False
        fresh = [run for run in new if len(run) >= _LEAST_LENGTH and run.count(SPACE) >= _LEAST_SPACES]
        self._old.update(run for run in new.difference(fresh) if len(run) <= _LONGEST_OLD)
        if len(self._old) > _MOST_CLEAN:
            self._old.clear()
        return not self._clean.issuperset(fresh)

    def _unmapped(self, pair: DocumentPair, after: bytes, found: Counter[tuple[str, str | None]]) -> None:
        new: list[Scalar] = []
        for one in scalars(after, self._comparer.top(pair)):
            if one.kind != STRING or one.value.count(b" ") < _LEAST_SPACES:
                continue
            if one.treatment in (VALUE, ENCODED) or one.value[4:-1] in self._clean:
                continue
            if one.state.winner >= 0:
                self._is_clean(one.value)
            else:
                new.append(one)
        for one, detected in zip(new, self._detected([one.value for one in new]), strict=True):
            for label, _ in detected:
                found[UNMAPPED.format(label), self._comparer.shown(one.path)] += 1
            if not detected:
                self._is_clean(one.value)

    def _is_clean(self, value: bytes) -> None:
        if len(self._clean) >= _MOST_CLEAN:
            self._clean.clear()
        text = value[4:-1]
        self._clean.update((text, *stretches(text)))

    def _detected(self, values: Sequence[bytes]) -> Iterator[list[tuple[str, str]]]:
        """Labels and what they stand for, of each text. Of many at once, since that takes half the time."""
        texts = list(map(_text, values))
        for text, detections in zip(texts, detect_each(self._detectors, texts), strict=True):
            yield [
                (one.label, text[one.start : one.end])
                for one in detections
                if one.confidence >= self._least and one.label not in self._left_out
            ]

    def unjudged(self) -> Iterable[Finding]:
        """That masked texts are not, where there are no originals."""
        if self._blind:
            yield Finding("texts that rules mask: there are no originals to compare with")


def _text(value: bytes) -> str:
    return value[4:-1].decode("utf-8", "replace")
