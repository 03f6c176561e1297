"""Validator `no_original`: no masked path still holds what it held before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from phimask import DocumentPair, Finding, RuleFacts, Validator
from phimask_plugins.validators.compare import comparer_for


class NoOriginal(Validator):
    """No value that a masker would have changed is what it was, byte by byte.

    Empty strings and sub-documents have nothing to hide, and a value that equals its type's blank (0, false,
    "[REDACTED]") may have been redacted: neither is a finding. Of a masker that changes some values only, such as
    age_cap, those that it would leave alone may stay. Maskers that keep are not judged.
    """

    name = "no_original"
    phases = frozenset({"during", "after"})

    def __init__(self, options: Mapping[str, Any], rules: Sequence[RuleFacts] = ()) -> None:
        super().__init__(options, rules)
        self._comparer = comparer_for(self.rules)

    def document(self, pair: DocumentPair) -> Iterable[Finding]:
        """Each path at which an original was found, with how many."""
        return self._comparer.compare(pair).originals
