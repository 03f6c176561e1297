from __future__ import annotations

import importlib
import random
import re
import subprocess
import sys

import pytest

from phimask_plugins.detectors import words
from phimask_plugins.detectors.alternatives import any_case, any_of, each_with
from phimask_plugins.detectors.chat import chat_names, is_plain
from phimask_plugins.detectors.words import is_word, names


@pytest.mark.parametrize("locale", ["en_US", "es_MX", "de_DE", "yo_NG", "pl_PL", "fr_FR"])
@pytest.mark.parametrize("kind", ["first_", "last_"])
def test_lists_read_as_text_are_those_that_are_imported(locale: str, kind: str) -> None:
    provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
    own = {name for name in vars(provider) if name.startswith(kind) or f"_{kind}" in name}
    imported = {
        str(word) for name in own if not callable(vars(provider)[name]) for word in vars(provider)[name]
    }
    assert set(words._strings("person", locale, kind)) == imported


def test_names_cost_no_import_of_faker() -> None:
    code = (
        "import sys; from phimask_plugins.detectors.words import names, is_word; names(); is_word('x');"
        "assert 'faker' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_there_are_names_of_many_origins() -> None:
    known = names()
    assert {"Giovanni", "Katarzyna", "Priya", "Maria"} <= known.first
    assert {"Nguyen", "Garcia", "Kowalczyk", "Okafor", "Schneider"} <= known.last
    assert not known.alone & words.AMBIGUOUS
    assert not (known.first | known.last) & words.NO_NAME
    assert all(name.islower() and len(name) > 3 for name in chat_names())


@pytest.mark.parametrize(
    "word",
    [
        "Cholecystectomy",
        "Hypertension",
        "Amoxicillin",
        "Lisinopril",
        "Weekly",
        "Follow-up",
        "Nephropathy",
        "Clinic",
    ],
)
def test_words_are_told_by_lists_and_endings(word: str) -> None:
    assert is_word(word)


@pytest.mark.parametrize(
    "word", ["Vandersloot", "Oyelaran", "Krishnamurthy", "Xiaohong", "Szymanski", "Hyun-woo"]
)
def test_names_are_no_words(word: str) -> None:
    assert not is_word(word)
    assert not is_plain(word.lower())


def test_an_alternation_takes_the_longest_of_its_words_and_nothing_else() -> None:
    chance = random.Random(5)
    for _ in range(200):
        chosen = {
            "".join(chance.choices("ab.-", k=chance.randint(1, 5))) for _ in range(chance.randint(1, 8))
        }
        expression = re.compile(any_of(chosen))
        for _ in range(20):
            text = "".join(chance.choices("ab.-", k=6))
            longest = max((word for word in chosen if text.startswith(word)), key=len, default=None)
            match = expression.match(text)
            assert (match and match[0]) == longest


def test_an_alternation_in_any_case() -> None:
    expression = re.compile(any_case(["seen by", "pt"]))
    taken = [
        text
        for text in ("seen by", "Seen by", "SEEN BY", "Seen By", "sEEN by", "pt", "Pt", "PT")
        if expression.match(text)
    ]
    assert taken == ["seen by", "Seen by", "SEEN BY", "Seen By", "pt", "Pt", "PT"]
    assert each_with(("seen", "read"), ("", "by")) == ["seen", "seen by", "read", "read by"]
