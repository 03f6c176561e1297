"""The detector of the extra `presidio`; skipped where that is not installed."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from phimask import Detector
from phimask.plugins.loading import load_registry
from phimask.testing import check_detector
from phimask_plugins.detectors import registered

pytest.importorskip("presidio_analyzer")

pytestmark = pytest.mark.filterwarnings("ignore")  # of the libraries that it brings along

from phimask_plugins.detectors.presidio import PresidioDetector  # noqa: E402  (an extra)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise AssertionError("a detector went to the network")

    monkeypatch.setattr(socket, "getaddrinfo", refused)
    monkeypatch.setattr(socket.socket, "connect", refused)


@pytest.fixture(scope="module")
def detector() -> Detector:
    return PresidioDetector({})


def found(detector: Detector, text: str, least: float = 0.5) -> list[tuple[str, str]]:
    return [
        (text[one.start : one.end], one.label) for one in detector.detect(text) if one.confidence >= least
    ]


@pytest.mark.usefixtures("no_network")
def test_it_conforms() -> None:
    check_detector(PresidioDetector)


@pytest.mark.usefixtures("no_network")
def test_patterns_are_found_without_a_model(detector: Detector) -> None:
    text = "Card 4012888888881881, IBAN GB82WEST12345698765432, from 192.0.2.77; mail ada@example.org, Ada"
    assert found(detector, text) == [
        ("4012888888881881", "CARD"),
        ("GB82WEST12345698765432", "IBAN"),
        ("192.0.2.77", "IP"),
        ("example.org", "URL"),
    ]


@pytest.mark.usefixtures("no_network")
def test_long_texts_are_looked_through_to_their_end(detector: Detector) -> None:
    text = "x " * 60_000 + "from 192.0.2.77 " + "\ud800\U0001f600" + " card 4012888888881881"
    assert found(detector, text) == [("192.0.2.77", "IP"), ("4012888888881881", "CARD")]


@pytest.mark.usefixtures("no_network")
def test_a_model_of_ones_own_finds_names(tmp_path: Path) -> None:
    spacy = pytest.importorskip("spacy")
    pipeline = spacy.blank("en")
    pipeline.add_pipe("entity_ruler").add_patterns([{"label": "PERSON", "pattern": "Quillo Zarn"}])
    pipeline.to_disk(tmp_path / "model")
    own = PresidioDetector({"model": str(tmp_path / "model")})
    assert found(own, "seen by Quillo Zarn from 192.0.2.77") == [
        ("Quillo Zarn", "NAME"),
        ("192.0.2.77", "IP"),
    ]


def test_a_model_that_is_not_there_is_not_downloaded() -> None:
    for model in ("en_core_web_nowhere", "no/such/directory", "os.path"):
        with pytest.raises(ValueError, match="installed"):
            PresidioDetector({"model": model})


def test_it_is_registered_and_looks_only_where_it_is_named() -> None:
    registry = load_registry()
    assert "presidio" in registry.names("detector")
    assert PresidioDetector not in registered.ALL
    assert not any(isinstance(one, PresidioDetector) for one in registry.usual_detectors())
    assert len(registry.usual_detectors()) == len(registry.names("detector")) - 1
