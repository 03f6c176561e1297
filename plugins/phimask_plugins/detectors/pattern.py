"""What detectors by rules share: asking the scan, and answering in order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from phimask import Detection, Detector
from phimask_plugins.detectors.scanning import Found, Rule, Scan, enlist, scan


class PatternDetector(Detector):
    """Finds what its `rules` find. Text is matched without regard to how it is disguised: see `form`."""

    label: ClassVar[str]
    rules: ClassVar[tuple[Rule, ...]] = ()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        enlist(cls.rules)

    def detect(self, text: str) -> list[Detection]:
        """Every match that is believed, in order of start, none overlapping another."""
        if not text:
            return []
        seen = scan(text)
        found = self.found(seen)
        if not found:
            return []
        if len(found) > 1:
            found = united(found)
        label, form = self.label, seen.form
        if not form.cuts:
            return [Detection(start, end, label, confidence) for start, end, confidence in found]
        return [Detection(*form.span(start, end), label, confidence) for start, end, confidence in found]

    def found(self, seen: Scan) -> list[Found]:
        """What there is of it in a text, in any order."""
        return seen.find_all(self.rules)


def united(found: Iterable[Found]) -> list[Found]:
    """Those that overlap become one, with the confidence of the surest."""
    result: list[Found] = []
    for one in sorted(found):
        if result and one[0] < result[-1][1]:
            start, end, confidence = result[-1]
            result[-1] = (start, max(end, one[1]), max(confidence, one[2]))
        else:
            result.append(one)
    return result
