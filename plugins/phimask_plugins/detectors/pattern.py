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
    uses_known: ClassVar[bool] = False
    """Whether it looks for what is `known` as well, also where no rule finds anything."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls._set = frozenset(cls.rules)
        enlist(cls.rules)

    _set: ClassVar[frozenset[Rule]] = frozenset()

    def detect(self, text: str) -> list[Detection]:
        """Every match that is believed, in order of start, none overlapping another."""
        seen = scan(text)
        if self._set.isdisjoint(seen.touched) and not self.uses_known:
            return []
        return self.detections(seen).get(0, [])

    def detections(self, scan: Scan) -> dict[int, list[Detection]]:
        """By number of a scanned text what `detect` answers for it, where it is anything."""
        by_rules = scan.find(self.rules)
        result: dict[int, list[Detection]] = {}
        for number in range(len(scan.seen)) if self.uses_known else by_rules:
            found = self.found(scan, number, by_rules.get(number, []))
            if len(found) > 1:
                found = united(found)
            label, form = self.label, scan.seen[number].form
            if not form.cuts:
                result[number] = [
                    Detection(start, end, label, confidence) for start, end, confidence in found
                ]
            else:
                result[number] = [
                    Detection(*form.span(start, end), label, confidence) for start, end, confidence in found
                ]
        return result

    def found(self, scan: Scan, number: int, by_rules: list[Found]) -> list[Found]:  # noqa: ARG002 (for overriding)
        """What there is of it in one of the texts, in any order, given what the rules found."""
        return by_rules


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
