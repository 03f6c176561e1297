"""All detectors over many texts: each looks at some of them before the next one does.

A detector's expressions, lists and code fill a processor's caches. Asked about text after text in turns with all
others, it finds them gone each time, which takes half as long again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeGuard

from phimask import Detection, Detector
from phimask_plugins.detectors.pattern import PatternDetector
from phimask_plugins.detectors.scanning import scan_all

_MOST_TEXTS: Final = 64
_MOST_CHARACTERS: Final = 1 << 18
"""Of the texts that are looked at together, so that memory is bounded."""


def detect_each(detectors: Sequence[Detector], texts: Iterable[str]) -> Iterator[list[Detection]]:
    """For each text what all detectors find, one detector's after the other's."""
    some: list[str] = []
    size = 0
    for text in texts:
        some.append(text)
        size += len(text)
        if len(some) >= _MOST_TEXTS or size >= _MOST_CHARACTERS:
            yield from _together(detectors, some)
            some, size = [], 0
    if some:
        yield from _together(detectors, some)


def _together(detectors: Sequence[Detector], texts: Sequence[str]) -> list[list[Detection]]:
    found: list[list[Detection]] = [[] for _ in texts]
    scan = scan_all(texts) if any(map(_goes_by_scan, detectors)) else None
    for detector in detectors:
        if scan is not None and _goes_by_scan(detector):
            for number, detections in detector.detections(scan).items():
                found[number] += detections
        else:
            for number, text in enumerate(texts):
                found[number] += detector.detect(text)
    return found


def _goes_by_scan(detector: Detector) -> TypeGuard[PatternDetector]:
    return isinstance(detector, PatternDetector) and type(detector).detect is PatternDetector.detect
