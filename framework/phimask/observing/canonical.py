"""JSON in one form only, so that what is signed today can be signed alike by anybody at any time.

The form is that of RFC 8785 (JSON Canonicalization Scheme): keys sorted, no white space, UTF-8, numbers as ECMAScript
writes them, so that 5 and 5.0 are one.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import rfc8785


def canonical(value: Any) -> bytes:
    """The value's one form. Raises ValueError for what has none: NaN, whole numbers of 2**53 and more, broken
    characters."""
    try:
        return rfc8785.dumps(value)
    except rfc8785.CanonicalizationError:
        raise ValueError("a value that has no canonical form") from None


def digest(value: Any) -> str:
    """SHA-256 over the canonical form, in hex."""
    return hashlib.sha256(canonical(value)).hexdigest()


def parsed(text: str) -> Any:
    """JSON that means one thing only: a key that is there twice, NaN and what is nested too deep are a ValueError."""
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_refused)
    except RecursionError:
        raise ValueError("nested too deep") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a key is there twice")
    return made


def _refused(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
