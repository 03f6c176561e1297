"""Rules with `decode` for tests, and documents masked by them along each way there is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import bson

from phimask import Masker
from phimask.config.paths import parse_path
from phimask.masking.columns import BoundRule, OnError
from phimask.masking.core import SLICE_BYTES, MaskingCore
from phimask.masking.encoded import DecodeOnly
from phimask.masking.outcomes import Masked, MaskedBatch

RuleText = tuple[str, "Masker | None", str]
"""A path, a masker or None, and how the field is held, outermost first, with spaces between."""


def bound(*rules: RuleText) -> list[BoundRule]:
    """The rules as the core takes them."""
    return [
        BoundRule(index, path, parse_path(path), masker or DecodeOnly(), None, tuple(decode.split()))
        for index, (path, masker, decode) in enumerate(rules)
    ]


def batch(
    rules: Sequence[BoundRule],
    *documents: dict[str, Any] | bytes,
    on_error: OnError = "redact",
    whole: bool = False,
) -> MaskedBatch:
    """One batch masked."""
    raw = [one if isinstance(one, bytes) else bson.encode(one) for one in documents]
    return MaskingCore(rules, None, on_error).mask(raw, "whole" if whole else "update")


def masked(rules: Sequence[BoundRule], value: Any, field: str = "P") -> Any:
    """What becomes of a field's value: by updates and whole, decoded and spliced, which are to agree."""
    document = {"_id": 1, field: value}
    # A key twice, and only the raw walk can treat it.
    twice = bson.encode(document)[4:-1] + b"\x10same\0\1\0\0\0" + b"\x10same\0\2\0\0\0"
    spliced = (len(twice) + 5).to_bytes(4, "little") + twice + b"\0"
    found = [_changed(rules, bson.encode(document), whole=whole, field=field) for whole in (False, True)]
    found.append(_changed(rules, spliced, whole=True, field=field))
    assert found[0] == found[1] == found[2], found
    assert len({type(one) for one in found}) == 1
    return found[0]


def _changed(rules: Sequence[BoundRule], raw: bytes, *, whole: bool, field: str) -> Any:
    whole = whole or len(raw) > SLICE_BYTES  # large documents get no update
    result = MaskingCore(rules, None, "redact").mask([raw], "whole" if whole else "update")
    (outcome,) = result.outcomes
    before = bson.decode(raw)
    if not isinstance(outcome, Masked):
        return before[field]
    after = bson.decode(outcome.bson)
    if whole:
        return after[field]
    assert list(after) == ["$set"]
    return after["$set"][field]
