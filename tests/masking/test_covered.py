"""What the core tells besides its updates: what stood there before, and what rules cover afterwards."""

from __future__ import annotations

from typing import Any

import bson
import pytest
from hypothesis import given, settings

from effort import examples
from masking_trials import Path, Trial, batches, bound
from phimask.masking.bson_types import LOSSLESS
from phimask.masking.core import MaskingCore
from phimask.masking.covered import covered_values
from phimask.masking.outcomes import Masked, Unchanged

pytestmark = pytest.mark.usefixtures("walk")

many = settings(derandomize=True, deadline=None, database=None, max_examples=examples(80))

Batch = tuple[list[bytes], list[tuple[Path, Trial]]]


def updated(raw: bytes, update: dict[str, Any]) -> bytes:
    """The document after an update of `$set` and `$unset`, as the server makes it."""
    document = bson.decode(raw, LOSSLESS)
    for path, value in update.get("$set", {}).items():
        place, key = _place(document, path)
        place[key] = value
    for path in update.get("$unset", {}):
        place, key = _place(document, path)
        del place[key]
    return bson.encode(document, codec_options=LOSSLESS)


def _place(document: Any, path: str) -> tuple[Any, Any]:
    *way, last = path.split(".")
    for key in way:
        document = document[int(key)] if isinstance(document, list) else document[key]
    return document, int(last) if isinstance(document, list) else last


@many
@given(batches(odd=False))
def test_a_masked_document_is_recognised_and_can_be_put_back(batch: Batch) -> None:
    documents, rules = batch
    masked = MaskingCore(bound(rules), None, "redact", originals=True, covered=True).mask(documents, "update")
    looking = covered_values(bound(rules))
    for number, (raw, outcome) in enumerate(zip(documents, masked.outcomes, strict=True)):
        if isinstance(outcome, Masked):
            after = updated(raw, bson.decode(outcome.bson, LOSSLESS))
        elif isinstance(outcome, Unchanged):
            after = raw
        else:
            continue  # is masked whole, and recognised as a whole
        (now,) = looking.mask([after], "update").covered
        assert now == masked.covered[number]
        before = masked.originals[number]
        if isinstance(outcome, Masked) and before is not None:
            assert updated(after, {"$set": bson.decode(before, LOSSLESS)}) == raw
        else:
            assert before is None


@many
@given(batches(odd=True))
def test_telling_changes_no_outcome_but_for_the_exact_walk(batch: Batch) -> None:
    documents, rules = batch
    telling = MaskingCore(bound(rules), None, "redact", originals=True, covered=True).mask(
        documents, "update"
    )
    plain = MaskingCore(bound(rules), None, "redact").mask(documents, "update")
    for told, usual in zip(telling.outcomes, plain.outcomes, strict=True):
        assert type(told).__name__ == "NeedsWhole" or told == usual
