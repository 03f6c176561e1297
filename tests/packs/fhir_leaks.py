"""What must not be left of a Bundle's people, found by code that knows FHIR's fields and nothing of rules."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pack_masking import Leaf, leaves

TESTDATA: Final = Path(__file__).resolve().parents[2] / "../shared/testdata"
BUNDLES: Final = TESTDATA / "fhir_bundles.ndjson"
LABELS: Final = TESTDATA / "fhir_field_labels.jsonl"

SHORTEST: Final = 4
"""Characters of a token that is searched for: shorter ones are part of too many words."""

_WHOLE: Final = re.compile(
    r"(^|\.)(identifier\.value|telecom\.value|birthDate|deceasedDateTime|postalCode|line|city)$"
)
_WORDS: Final = re.compile(r"(^|\.)(name\.(family|given|text)|line|city)$")
_MAIDEN_NAME: Final = "patient-mothersMaidenName"


def resources(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Those of a Bundle, or the resource itself."""
    return [entry["resource"] for entry in document["entry"]] if "entry" in document else [document]


def tokens(document: Mapping[str, Any]) -> frozenset[str]:
    """What identifies people, lower case: names word by word, all else whole, addresses both ways."""
    found: set[str] = set()
    for leaf in _identifying(document):
        text = str(leaf.value).lower()
        if _WORDS.search(leaf.path) or leaf.path == "valueString":
            found.update(re.findall(r"[^\W\d_]+", text))
        if _WHOLE.search(leaf.path):
            found.add(text)
    return frozenset(token for token in found if len(token) >= SHORTEST)


def _identifying(document: Mapping[str, Any]) -> Iterator[Leaf]:
    for resource in resources(document):
        for extension in resource.get("extension", ()):
            if extension["url"].endswith(_MAIDEN_NAME):
                yield Leaf("valueString", extension["valueString"])
        yield from leaves(resource)


def found_in(document: Mapping[str, Any], wanted: Iterable[str]) -> list[tuple[str, str]]:
    """Place and token of every value of a document that holds a token, whatever the field."""
    pattern = re.compile("|".join(map(re.escape, sorted(wanted, key=len, reverse=True))))
    return [
        (leaf.place, token)
        for leaf in leaves(document)
        if isinstance(leaf.value, str)
        for token in set(pattern.findall(leaf.value.lower()))
    ]


def clinical(document: Mapping[str, Any]) -> list[Leaf]:
    """Codes, terms, quantities, amounts and states of things, in order."""
    kept = re.compile(
        r"\.(coding\.(code|system|display)|\w*[qQ]uantity\.\w+|(code|type|category|vaccineCode|productOrService)\.text|"
        r"valueCodeableConcept\.text|medicationCodeableConcept\.text|status|gender|amount\.\w+|net\.\w+|total\.\w+|"
        r"resourceType|class\.code|bodySite\.\w+|modality\.\w+)$"
    )
    insurer = re.compile(r"\.contained\.(\d+\.)?type\.text$")  # of a Coverage within a claim
    return [
        leaf for leaf in leaves(document, "$") if kept.search(leaf.path) and not insurer.search(leaf.path)
    ]
