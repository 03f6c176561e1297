"""Prints how much of the shared test data the detectors find, and how fast they are.

    python tests/benchmarks/detection.py

Recall of the recognizer cases: a span counts as found where a detection of its label has the same ends, quotation marks
and white space aside. Recall of the clinical queries: an element counts as touched where any detection overlaps it, as
covered where detections hide each letter and digit of it. Both at the confidence that `free_text` masks from.
"""

from __future__ import annotations

import json
import random
import re
import statistics
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from phimask import Detection, Detector
from phimask_plugins.detectors import registered, scanning
from phimask_plugins.detectors.together import detect_each

TEXTS = Path(__file__).resolve().parents[1] / "detectors/texts"
DATA = Path(__file__).resolve().parents[2] / "../shared/testdata"
CONFIDENCE = 0.5
LABELS = {
    "ABA_ROUTING_NUMBER": {"ROUTING"},
    "CREDIT_CARD": {"CARD"},
    "CRYPTO": {"WALLET"},
    "DATE_TIME": {"DATE"},
    "EMAIL_ADDRESS": {"EMAIL"},
    "IBAN_CODE": {"IBAN"},
    "IP_ADDRESS": {"IP"},
    "MAC_ADDRESS": {"MAC"},
    "MEDICAL_LICENSE": {"DEA"},
    "PHONE_NUMBER": {"PHONE", "FAX"},
    "URL": {"URL"},
    "US_BANK_NUMBER": {"ACCOUNT"},
    "US_DRIVER_LICENSE": {"LICENSE"},
    "US_ITIN": {"US_ITIN"},
    "US_MBI": {"MBI"},
    "US_NPI": {"NPI"},
    "US_PASSPORT": {"PASSPORT"},
    "US_SSN": {"US_SSN"},
}


class Tally(NamedTuple):
    """Of one entity: spans found and there are, negatives left alone and there are."""

    found: int
    spans: int
    quiet: int
    negatives: int


def all_detectors() -> tuple[Detector, ...]:
    """One of each, as `free_text` is given them."""
    return tuple(cls({}) for cls in registered.ALL)


def read(name: str) -> list[dict[str, Any]]:
    """A file of the shared test data."""
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


def detect(every: Sequence[Detector], text: str) -> list[Detection]:
    """What all detectors find."""
    return [one for detector in every for one in detector.detect(text)]


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start] in "\"' \t\r\n":
        start += 1
    while start < end and text[end - 1] in "\"' \t\r\n":
        end -= 1
    return start, end


def recognizer_tallies(every: Sequence[Detector], *, misses: bool = False) -> dict[str, Tally]:
    """By entity, without what the data call weak."""
    tallies: dict[str, Tally] = {}
    for case in read("recognizer_cases.jsonl"):
        entity, text = case["entity"], case["text"]
        tally = tallies.get(entity, Tally(0, 0, 0, 0))
        got = [one for one in detect(every, text) if one.label in LABELS[entity]]
        spans = {_trimmed(text, one.start, one.end) for one in got}
        if case["weak"]:
            continue
        if not case["count"]:
            quiet = not [one for one in got if one.confidence >= 0.4]
            tallies[entity] = tally._replace(quiet=tally.quiet + quiet, negatives=tally.negatives + 1)
            if misses and not quiet:
                print("  touched", entity, repr(text), [text[one.start : one.end] for one in got])
        else:
            wanted = case["spans"]
            found = (
                min(len(spans), case["count"])
                if wanted is None
                else sum(_trimmed(text, *one) in spans for one in wanted)
            )
            tallies[entity] = tally._replace(found=tally.found + found, spans=tally.spans + case["count"])
            if misses and found < case["count"]:
                print("  missed", entity, repr(text), [text[one.start : one.end] for one in got])
    return tallies


class Marked(NamedTuple):
    """A text, and what in it identifies."""

    text: str
    spans: list[tuple[int, int, str]]


def marked(name: str) -> list[Marked]:
    """The project's own texts of one file: paragraphs, in which `{LABEL:words}` marks what identifies."""
    lines = (TEXTS / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    source = "\n".join(line for line in lines if not line.startswith("#"))
    result = []
    for paragraph in filter(None, (one.strip("\n") for one in re.split(r"\n{2,}", source))):
        text, spans, at = "", [], 0
        for mark in re.finditer(r"\{([A-Z]+):([^{}]+)\}", paragraph):
            text += paragraph[at : mark.start()]
            spans.append((len(text), len(text) + len(mark[2]), mark[1]))
            text += mark[2]
            at = mark.end()
        result.append(Marked(text + paragraph[at:], spans))
    return result


class Clinical(NamedTuple):
    """Elements there are, touched and covered, by label; hard negatives there are and touched."""

    elements: dict[str, list[int]]
    negatives: int
    touched: int

    def recall(self, which: int) -> float:
        """1: touched, 2: covered."""
        return sum(one[which] for one in self.elements.values()) / sum(
            one[0] for one in self.elements.values()
        )


def clinical(every: Sequence[Detector], *, misses: bool = False) -> Clinical:
    """The development third of the clinical queries."""
    cases = [
        Marked(one["text"], [tuple(span) for span in one["spans"]])
        for one in read("clinical_queries_dev.jsonl")
    ]
    return elements_of(every, cases, misses=misses)


def elements_of(every: Sequence[Detector], cases: Iterable[Marked], *, misses: bool = False) -> Clinical:
    """How many of the marked elements there are and are found; a text without any is a hard negative."""
    elements: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    negatives = touched = 0
    for text, spans in cases:
        got = [one for one in detect(every, text) if one.confidence >= CONFIDENCE]
        hidden = {place for one in got for place in range(one.start, one.end)}
        if not spans:
            negatives += 1
            touched += bool(got)
            if misses and got:
                print("  touched", [(text[one.start : one.end], one.label) for one in got], text)
        for start, end, label in spans:
            element = elements[label]
            element[0] += 1
            covered = all(place in hidden for place in range(start, end) if text[place].isalnum())
            element[1] += any(place in hidden for place in range(start, end))
            element[2] += covered
            if misses and not covered:
                print("  missed", label, repr(text[start:end]), "in", text[max(0, start - 40) : end + 25])
    return Clinical(dict(elements), negatives, touched)


_FIRST = ("Wilhelmina", "Ada", "Maria", "James", "Thomas", "Priya", "Ingrid", "Carlos", "Miriam", "Robert")
_LAST = ("Oakes", "Lovelace", "Okafor", "Nguyen", "Garcia", "Johnson", "Brenk", "Cohen", "Singh", "Murphy")
_SENTENCES = (
    "The patient denies chest pain, shortness of breath, nausea or vomiting and reports good adherence to the medications.",
    "Blood pressure today is 128/76 with a pulse of 72 and temperature of 98.6, oxygen saturation is 97% on room air.",
    "Labs are notable for a hemoglobin of 12.4, creatinine of 1.1 and a potassium of 4.2, otherwise within normal limits.",
    "Lungs are clear to auscultation bilaterally, heart sounds are regular without murmurs, and the abdomen is soft.",
    "Continue lisinopril 20 mg daily and metformin 500 mg twice a day, and recheck the basic metabolic panel in six weeks.",
    "Assessment and Plan: type 2 diabetes with improving control, essential hypertension at goal, osteoarthritis of the knee.",
    "There is no evidence of acute fracture or dislocation, and mild degenerative changes are seen in the lumbar spine.",
    "We discussed diet, exercise and smoking cessation at length and all questions were answered to the family's satisfaction.",
)
_TELLING = (
    "Seen with {first} {last} in clinic on {month}/{day}/2021.",
    "MRN {number}, phone (212) 555-01{day}.",
    "Referred by Dr. {last} for follow up.",
    "Lives at {day} Elm Street, Springfield, MA 01103.",
    "Contact {first} at {first}.{last}@example.org if symptoms worsen.",
)


def notes(count: int, size: int = 4000, seed: int = 7) -> list[str]:
    """Made-up clinical notes of about `size` characters, one sentence in seven telling who it is about."""
    chance = random.Random(seed)
    result = []
    for _ in range(count):
        note = ""
        while len(note) < size:
            sentence = chance.choice(_TELLING if chance.random() < 1 / 7 else _SENTENCES)
            note += (
                sentence.format(
                    first=chance.choice(_FIRST),
                    last=chance.choice(_LAST),
                    month=chance.randint(1, 12),
                    day=chance.randint(10, 28),
                    number=chance.randint(10**6, 10**7),
                )
                + " "
            )
        result.append(note)
    return result


def megabytes_per_second(look: Callable[[], object], texts: Sequence[str], rounds: int = 5) -> float:
    """Of UTF-8, the best of the rounds on one core."""
    size = sum(len(text.encode()) for text in texts)
    return size / min(_seconds(look) for _ in range(rounds)) / 1e6


def _seconds(look: Callable[[], object]) -> float:
    start = time.process_time()
    look()
    return time.process_time() - start


def _lines() -> Iterator[str]:
    every = all_detectors()
    if DATA.exists():
        tallies = recognizer_tallies(every)
        yield f"{'recognizer cases':24}{'found':>8}{'of':>6}{'quiet':>8}{'of':>6}"
        for entity, one in sorted(tallies.items()):
            yield f"{entity:24}{one.found:8}{one.spans:6}{one.quiet:8}{one.negatives:6}"
        recall = statistics.fmean(one.found / one.spans for one in tallies.values() if one.spans)
        quiet = sum(one.quiet for one in tallies.values()) / sum(one.negatives for one in tallies.values())
        yield f"macro-averaged recall {recall:.3f}, negatives left alone {quiet:.3f}"
        yield ""
        found = clinical(every)
        yield f"{'clinical queries':32}{'elements':>9}{'touched':>9}{'covered':>9}"
        for label, (count, touched, covered) in sorted(found.elements.items()):
            yield f"{label:32}{count:9}{touched:9}{covered:9}"
        yield f"element recall: touched {found.recall(1):.3f}, covered {found.recall(2):.3f}"
        yield f"hard negatives touched: {found.touched} of {found.negatives} ({found.touched / found.negatives:.3f})"
        yield ""
    texts = notes(200)
    hits = statistics.fmean(len(detect(every, text)) for text in texts)
    native = scanning.scan("").native
    yield (
        f"notes of 4 kB with {hits:.0f} detections each, one core, "
        f"{'native scanner' if native else 'expressions one by one'}:"
    )
    one_by_one = megabytes_per_second(lambda: [detect(every, text) for text in texts], texts)
    yield f"each note by itself, as `detect` is asked: {one_by_one:.1f} MB/s"
    together = megabytes_per_second(lambda: deque(detect_each(every, texts), maxlen=0), texts)
    yield f"a column of notes together, as `free_text` has them: {together:.1f} MB/s"


if __name__ == "__main__":
    for line in _lines():
        print(line)
