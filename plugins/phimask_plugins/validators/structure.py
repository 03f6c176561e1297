"""Validator `structure`: the same paths with the same BSON types, in the same order, before and after."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from phimask import DocumentPair, Finding, RuleFacts, Validator
from phimask_plugins.validators.compare import comparer_for


class Structure(Validator):
    """Masking changes values, never the shape of a document.

    Fields keep their names, order and BSON types, arrays their lengths, and nothing is added. Allowed is what
    rules ask for: the types that a masker produces, fields gone where a masker removes, and the blank (of the
    same type, or null) of a value that could not be masked.
    """

    name = "structure"
    phases = frozenset({"during", "after"})

    def __init__(self, options: Mapping[str, Any], rules: Sequence[RuleFacts] = ()) -> None:
        super().__init__(options, rules)
        self._comparer = comparer_for(self.rules)

    def document(self, pair: DocumentPair) -> Iterable[Finding]:
        """What differs in shape, by path."""
        return self._comparer.compare(pair).structure
