"""Validator `untouched`: what no rule masks is the same before and after, byte by byte."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from phimask import DocumentPair, Finding, RuleFacts, Validator
from phimask_plugins.validators.compare import comparer_for


class Untouched(Validator):
    """Bytes outside of masked paths are identical and in the same order, `_id` and kept values among them.

    A document that is lost or made up is a finding, too.
    """

    name = "untouched"
    phases = frozenset({"during", "after"})

    def __init__(self, options: Mapping[str, Any], rules: Sequence[RuleFacts] = ()) -> None:
        super().__init__(options, rules)
        self._comparer = comparer_for(self.rules)

    def document(self, pair: DocumentPair) -> Iterable[Finding]:
        """What changed although no rule masks it, by path."""
        return self._comparer.compare(pair).untouched
