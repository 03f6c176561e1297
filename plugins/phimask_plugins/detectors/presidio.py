"""Presidio's recognizers as a detector, for who has installed the extra and names it."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Final

from phimask import Detection, Detector

_LABELS: Final = {
    "CREDIT_CARD": "CARD",
    "CRYPTO": "WALLET",
    "DATE_TIME": "DATE",
    "IBAN_CODE": "IBAN",
    "IP_ADDRESS": "IP",
    "LOCATION": "LOCATION",
    "MAC_ADDRESS": "MAC",
    "MEDICAL_LICENSE": "DEA",
    "PERSON": "NAME",
    "PHONE_NUMBER": "PHONE",
    "URL": "URL",
    "US_BANK_NUMBER": "ACCOUNT",
    "US_DRIVER_LICENSE": "LICENSE",
    "US_ITIN": "US_ITIN",
    "US_PASSPORT": "PASSPORT",
    "US_SSN": "US_SSN",
}
"""By entity; all others are `ID`."""
_LEFT: Final = frozenset({"NRP", "ORGANIZATION", "AGE"})
"""Entities of language models that are no identifiers by themselves."""
_ONLINE: Final = "EmailRecognizer"
"""It asks a server on the internet for the list of public suffixes."""
_NEEDS_MODEL: Final = "SpacyRecognizer"
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_PIECE: Final = 50_000
_OVERLAP: Final = 500
"""Characters. A language model takes texts up to a length, and memory with each of them."""


class PresidioDetector(Detector):
    """What Presidio's recognizers for English texts find, with its scores as confidence. Without `model` those that go
    by patterns and checksums; with it, names, places and dates by a language model as well. Nothing is downloaded:
    its recognizer of e-mail addresses, which would ask the internet, is left out.

    Looks only where a rule names it. A language model takes some milliseconds for each kilobyte of text.

    Source: Presidio, https://github.com/microsoft/presidio.
    """

    name = "presidio"
    labels = frozenset({*_LABELS.values(), "ID"})
    by_default: ClassVar[bool] = False
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "model": {
                "type": "string",
                "minLength": 1,
                "description": "An installed spaCy model, such as en_core_web_lg, or its directory. Without one only "
                "patterns are looked for.",
            },
        },
    }

    def __init__(self, options: Mapping[str, Any]) -> None:
        """`model`, as the schema says. Raises ValueError if it is not installed."""
        super().__init__(options)
        self._model: str | None = options.get("model")
        if self._model is not None and not _is_installed(self._model):
            raise ValueError(
                "`model` names no spaCy model that is installed, nor a directory; install it first"
            )
        self._engine: Any = None

    def detect(self, text: str) -> Iterable[Detection]:
        """Every stretch that a recognizer believes in, the surer of two that overlap."""
        found: list[tuple[float, int, int, str]] = []
        plain = _SURROGATE.sub("?", text)
        for begin in range(0, len(plain), _PIECE):
            first = max(0, begin - _OVERLAP)
            for one in self._analyzed(plain[first : begin + _PIECE + _OVERLAP]):
                if one.entity_type not in _LEFT and one.score > 0 and one.end > one.start:
                    label = _LABELS.get(one.entity_type, "ID")
                    found.append((min(one.score, 1.0), first + one.start, first + one.end, label))
        kept: list[Detection] = []
        for score, start, end, label in sorted(set(found), key=lambda one: (-one[0], one[1] - one[2], one)):
            if all(end <= other.start or other.end <= start for other in kept):
                kept.append(Detection(start, end, label, score))
        return sorted(kept, key=lambda one: one.start)

    def _analyzed(self, text: str) -> Any:
        # Importing Presidio takes seconds, and a model takes a gigabyte: not before the first text.
        if self._engine is None:
            self._engine = _engine(self._model)
        return self._engine(text)


def _is_installed(model: str) -> bool:
    return Path(model).is_dir() or (model.isidentifier() and importlib.util.find_spec(model) is not None)


def _engine(model: str | None) -> Any:
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry  # noqa: PLC0415  (an extra)
    from presidio_analyzer.nlp_engine import NlpEngineProvider  # noqa: PLC0415

    registry = RecognizerRegistry()
    registry.load_predefined_recognizers(languages=["en"])
    left_out = {_ONLINE} if model is not None else {_ONLINE, _NEEDS_MODEL}
    recognizers: list[Any] = [one for one in registry.recognizers if type(one).__name__ not in left_out]
    if model is None:
        return lambda text: [
            found
            for one in recognizers
            for found in one.analyze(text=text, entities=one.supported_entities, nlp_artifacts=None) or ()
        ]
    engine = NlpEngineProvider(
        nlp_configuration={"nlp_engine_name": "spacy", "models": [{"lang_code": "en", "model_name": model}]}
    ).create_engine()
    registry.recognizers = recognizers
    analyzer = AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=["en"])
    return lambda text: analyzer.analyze(text=text, language="en")
