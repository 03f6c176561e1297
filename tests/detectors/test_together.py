"""What is found in texts together is what each detector finds in each text by itself."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

import pytest

from phimask import Detection, Detector
from phimask_plugins.detectors import registered, scanning, together
from phimask_plugins.detectors.email import EmailDetector
from phimask_plugins.detectors.pattern import PatternDetector
from phimask_plugins.detectors.together import detect_each

DATA = Path(__file__).resolve().parents[2] / "../shared/testdata"
EVERY = tuple(cls({}) for cls in registered.ALL)
TEXTS = (
    "Seen with Ada Lovelace in clinic on 4/17/2021, MRN 1234567.",
    "",
    "nothing to be found in here",
    "Dr. Okafor of Mercy Hospital, Springfield, MA 01103; call (212) 555-0134",
    "ada\u200b@example.org, \u0669\u0661\u0662-\u0663\u0664-\u0665\u0666\u0667\u0668",
)


class Exclaiming(Detector):
    """A guest, which goes by no rules."""

    name = "exclaiming"
    labels: ClassVar[frozenset[str]] = frozenset({"LOUD"})

    def detect(self, text: str) -> Iterable[Detection]:
        return [Detection(at, at + 1, "LOUD", 1.0) for at, one in enumerate(text) if one == "!"]


class Guarded(EmailDetector):
    """One that goes by rules and has its own mind."""

    name = "guarded"

    def detect(self, text: str) -> list[Detection]:
        return [one for one in super().detect(text) if "x" not in text]


def one_by_one(every: Iterable[Detector], text: str) -> list[Detection]:
    return [one for detector in every for one in detector.detect(text)]


def test_the_same_in_made_up_texts() -> None:
    chance = random.Random(5)
    texts = ["; ".join(chance.choices(TEXTS, k=chance.randint(1, 6))) for _ in range(300)]
    found = list(detect_each(EVERY, texts))
    assert found == [one_by_one(EVERY, text) for text in texts]
    assert sum(map(len, found)) > 1000


@pytest.mark.parametrize("name", ["recognizer_cases.jsonl", "clinical_queries_dev.jsonl"])
def test_the_same_in_the_shared_texts(name: str) -> None:
    if not DATA.exists():
        pytest.skip("the shared test data are not here")
    texts = [json.loads(line)["text"] for line in (DATA / name).read_text(encoding="utf-8").splitlines()]
    assert list(detect_each(EVERY, texts)) == [one_by_one(EVERY, text) for text in texts]


def test_the_same_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    with_it = list(detect_each(EVERY, TEXTS))
    pure = scanning.Scanner(
        [rule for cls in registered.ALL if issubclass(cls, PatternDetector) for rule in cls.rules],
        native=False,
    )
    monkeypatch.setattr(together, "scan_all", pure.scan)
    assert list(detect_each(EVERY, TEXTS)) == with_it


def test_guests_are_asked_about_each_text_in_their_turn() -> None:
    every = (EVERY[0], Exclaiming({}), Guarded({}), *EVERY[1:])
    texts = ("Stop! Call (212) 555-0134!", "a@b.example", "x a@b.example", *TEXTS)
    found = list(detect_each(every, texts))
    assert found == [one_by_one(every, text) for text in texts]
    assert [one.label for one in found[0]] == ["LOUD", "LOUD", "PHONE"]


def test_no_more_texts_are_taken_than_are_looked_at_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "_MOST_TEXTS", 3)
    monkeypatch.setattr(together, "_MOST_CHARACTERS", 100)
    taken = []

    def texts(size: int) -> Iterable[str]:
        for number in range(10):
            taken.append(number)
            yield "x" * size

    next(detect_each(EVERY, texts(10)))
    assert taken == [0, 1, 2]
    taken.clear()
    next(detect_each(EVERY, texts(60)))
    assert taken == [0, 1]
    assert list(detect_each((), ["a", "b"])) == [[], []]
    assert list(detect_each(EVERY, [])) == []
