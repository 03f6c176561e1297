"""Classes told from raw bytes: against the exact definition, on documents that the classifier has not seen."""

from __future__ import annotations

import json
import pickle
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bson
import pytest

from limits import LIMITS
from misleading import KINDS, misleading
from phimask.config.model import ClassLimits, Limits
from phimask.planning.classifier import Classifier, learn, seen
from phimask.planning.complexity import CLASSES, shape
from phimask.plugins.values import ComplexityClass
from phimask.store.sample.documents import sample_documents

FHIR = Path(__file__).resolve().parents[2] / "../shared/testdata/fhir_bundles.ndjson"
SAMPLE = 1000
DEEP_AND_SMALL = {"_id": 1, "a": {"b": {"c": {"d": {"e": {"f": {"g": 1}}}}}}}


def encoded(documents: Any) -> list[bytes]:
    return [bson.encode({"_id": number, **one}) for number, one in enumerate(documents)]


def actual(raw: bytes, limits: Limits = LIMITS) -> ComplexityClass:
    return shape(raw).complexity(limits)


def taught(sample: Sequence[bytes], limits: Limits = LIMITS) -> Classifier:
    """From documents that are read whole."""
    return learn([seen(raw, actual(raw, limits)) for raw in sample], limits, whole=True)


def fhir() -> list[dict[str, Any]]:
    if not FHIR.exists():
        pytest.skip("the FHIR bundles are not here")
    bundles = [json.loads(line) for line in FHIR.read_text(encoding="utf-8").splitlines()]
    return [*bundles, *(entry["resource"] for bundle in bundles for entry in bundle["entry"])]


def right(classifier: Classifier, held_out: Sequence[bytes]) -> float:
    return sum(classifier.classify(raw) == actual(raw) for raw in held_out) / len(held_out)


def at_once(classifier: Classifier, held_out: Sequence[bytes]) -> float:
    return sum(classifier.at_once(raw) is not None for raw in held_out) / len(held_out)


def shuffled(documents: list[bytes]) -> list[bytes]:
    random.Random(5).shuffle(documents)
    return documents


@pytest.mark.parametrize("seed", [1, 2])
def test_sample_documents_are_told_almost_all_of_them_at_once(seed: int) -> None:
    documents = encoded(sample_documents(3000, seed))
    classifier = taught(documents[:SAMPLE])
    assert right(classifier, documents[SAMPLE:]) >= 0.98
    assert at_once(classifier, documents[SAMPLE:]) >= 0.9


@pytest.mark.parametrize("seed", [1, 2])
def test_documents_whose_size_misleads_are_told(seed: int) -> None:
    documents = encoded(misleading(3000, seed))
    classifier = taught(documents[:SAMPLE])
    assert right(classifier, documents[SAMPLE:]) >= 0.95
    assert at_once(classifier, documents[SAMPLE:]) >= 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_so_are_those_of_each_kind_among_sample_documents(kind: str) -> None:
    chance = random.Random(3)
    odd = encoded(KINDS[kind](chance) for _ in range(1200))
    classifier = taught(shuffled([*odd[:400], *encoded(sample_documents(600, 4))]))
    assert right(classifier, odd[400:]) >= 0.95


def test_fhir_documents_are_told() -> None:
    documents = shuffled(encoded(fhir()))
    classifier = taught(documents[:SAMPLE])
    assert right(classifier, documents[SAMPLE:]) >= 0.95


def test_a_mix_of_all_is_told() -> None:
    documents = [*encoded(sample_documents(2000, 6)), *encoded(misleading(1000, 6))]
    if FHIR.exists():
        documents += encoded(fhir())[:1000]
    documents = shuffled(documents)
    assert right(taught(documents[:SAMPLE]), documents[SAMPLE:]) >= 0.95


@pytest.mark.parametrize("documents", [sample_documents, misleading])
def test_the_check_foretells_how_well_others_are_told(documents: Any) -> None:
    made = encoded(documents(4000, 8))
    classifier = taught(made[:SAMPLE])
    check = classifier.check.report()
    assert check is not None
    assert check["sample"] == SAMPLE
    assert check["accuracy_percent"] == pytest.approx(100 * right(classifier, made[SAMPLE:]), abs=2)
    assert check["walked_percent"] == pytest.approx(100 - 100 * at_once(classifier, made[SAMPLE:]), abs=12)
    assert sum(check["matrix"][kind][kind] for kind in CLASSES) == pytest.approx(
        check["accuracy_percent"] * SAMPLE / 100
    )


def test_the_check_is_made_on_documents_that_were_held_out() -> None:
    """Classes that nothing can foretell: whoever remembered them would be right more often than chance is."""
    chance = random.Random(9)
    sample = [
        seen(raw, chance.choice(CLASSES)) for raw in encoded({"Note": "n" * number} for number in range(600))
    ]
    no_limits = Limits(ClassLimits(10**6, 10**6, 10**6), ClassLimits(10**6, 10**6, 10**6))
    check = learn(sample, no_limits, whole=False).check.report()
    assert check is not None
    assert check["accuracy_percent"] < 45


def test_what_the_sample_did_not_show_is_walked_and_told_right() -> None:
    small = encoded(sample_documents(SAMPLE, 3, {"simple": 1.0}))
    classifier = taught(small)
    assert classifier.learned
    unseen = [
        bson.encode(DEEP_AND_SMALL),
        *encoded(sample_documents(300, 3, {"medium": 0.5, "complex": 0.5})),
        *encoded({"Readings": list(range(600)), "Note": "n" * number} for number in range(0, 60_000, 600)),
    ]
    assert [classifier.classify(raw) for raw in unseen] == [actual(raw) for raw in unseen]
    assert {actual(raw) for raw in unseen} == {"medium", "complex"}


@pytest.mark.parametrize("count", [0, 1, 3, 15])
def test_too_small_a_sample_has_every_document_walked(count: int) -> None:
    classifier = taught(encoded(sample_documents(count, 3)))
    assert not classifier.learned
    documents = encoded(misleading(200, 4))
    assert right(classifier, documents) == 1
    assert at_once(classifier, documents) == 0
    check = classifier.check.report()
    assert (check is None) == (count == 0)


def test_limits_are_those_of_the_profile() -> None:
    few = Limits(ClassLimits(3, 1, 2), ClassLimits(20, 2, 5))
    documents = encoded(sample_documents(2000, 5)) + encoded({"a": 1} for _ in range(500))
    classifier = taught(shuffled(documents)[:SAMPLE], few)
    held_out = documents[SAMPLE:]
    assert sum(classifier.classify(raw) == actual(raw, few) for raw in held_out) >= 0.95 * len(held_out)


class Part:
    """Documents of which a run reads some top-level fields."""

    def __init__(self, names: set[str], documents: Sequence[dict[str, Any]]) -> None:
        self.whole = [bson.encode(one) for one in documents]
        self.read = [
            bson.encode({key: value for key, value in one.items() if key in names}) for one in documents
        ]

    def classifier(self) -> Classifier:
        sample = zip(self.read[:SAMPLE], self.whole[:SAMPLE], strict=True)
        return learn([seen(part, actual(whole)) for part, whole in sample], LIMITS, whole=False)

    def right(self, classifier: Classifier) -> float:
        held_out = list(zip(self.read[SAMPLE:], self.whole[SAMPLE:], strict=True))
        return sum(classifier.classify(part) == actual(whole) for part, whole in held_out) / len(held_out)


def test_a_part_of_a_document_tells_the_class_of_the_whole() -> None:
    part = Part({"_id", "Visits"}, list(sample_documents(3000, 2)))
    assert part.right(part.classifier()) >= 0.95
    assert sum(map(len, part.read)) < sum(map(len, part.whole))


def test_the_class_follows_from_what_is_read_even_where_that_is_far_less_complex() -> None:
    """Of complex documents only a flat part is read, which is recognized by how long it is."""
    documents = [
        {"_id": number, "Text": "t" * (2000 if odd else 20), "Rows": [{"a": 1}] * (300 if odd else 1)}
        for number in range(3000)
        for odd in (number % 3 == 0,)
    ]
    part = Part({"_id", "Text"}, documents)
    assert part.right(part.classifier()) == 1


def test_a_document_is_never_told_to_be_simpler_than_what_is_read_of_it() -> None:
    documents = [{"_id": number, "Text": "t" * number} for number in range(SAMPLE)]
    classifier = Part({"_id", "Text"}, documents).classifier()
    for raw in (bson.encode(DEEP_AND_SMALL), bson.encode({"_id": 1, "v": list(range(600))})):
        assert classifier.classify(raw) == actual(raw) == "complex"


@pytest.fixture(scope="module")
def mixed() -> tuple[Classifier, Classifier, list[bytes]]:
    """One for whole documents, one for parts of them, and documents to try both with."""
    documents = shuffled([*encoded(sample_documents(600, 6)), *encoded(misleading(600, 6))])
    sample = [seen(raw, actual(raw)) for raw in documents]
    return learn(sample, LIMITS, whole=True), learn(sample, LIMITS, whole=False), documents


def test_it_goes_to_other_processes_and_into_the_ledger(
    mixed: tuple[Classifier, Classifier, list[bytes]],
) -> None:
    *classifiers, documents = mixed
    for classifier in classifiers:
        assert isinstance(classifier, Classifier)
        for again in (
            pickle.loads(pickle.dumps(classifier)),
            Classifier.of(bson.decode(bson.encode(classifier.document()))),
        ):
            assert again == classifier
            assert [again.classify(raw) for raw in documents] == [
                classifier.classify(raw) for raw in documents
            ]


def test_malformed_bytes_are_complex(mixed: tuple[Classifier, Classifier, list[bytes]]) -> None:
    whole, partly, _ = mixed
    for raw in (b"", b"\0", b"\xff" * 40, bson.encode({"a": "text"})[:-3]):
        assert whole.classify(raw) == partly.classify(raw) == "complex"


def test_nothing_of_a_document_is_kept(mixed: tuple[Classifier, Classifier, list[bytes]]) -> None:
    whole, partly, _ = mixed
    for classifier in (whole, partly):
        kept = bson.encode(classifier.document()) + pickle.dumps(classifier)
        for value in (b"PAT-", b"Patient", b"seen and well", b"Visits"):
            assert value not in kept
