"""The fast walk: a document decoded by PyMongo's C extension, its masked values gathered into columns.

It serves documents that decode and encode back to the very same bytes; `splice` takes all others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from bson.code import Code
from bson.dbref import DBRef

from phimask.masking.automaton import NO_RULE, State, nameable
from phimask.masking.bson_types import PYTHON_ALIASES
from phimask.masking.columns import BoundRule, Gathered, Place, Subjects
from phimask.masking.encoded import EncodedField, Undecodable
from phimask.masking.encoded_walk import EncodedWalk, add
from phimask.masking.pieces import Around

RAW_ONLY: Final = frozenset({DBRef, Code})
"""Classes that stand for several BSON types: a sub-document or dbPointer, JavaScript with a scope or without."""

_PLAIN: Final = frozenset(PYTHON_ALIASES) - RAW_ONLY - {dict, list}
"""Classes of values that nothing can be inside of."""


class NeedsSplice(Exception):
    """This document holds something that only the raw walk can treat exactly."""


class _Node:
    """A state of the automaton with what the walk does there, bound to the columns once for all batches."""

    __slots__ = ("append", "item_list", "keeps", "named", "opens", "other", "place", "rule", "stays", "subject",
                 "unexpanded", "unit_array", "unit_document", "whose")  # fmt: skip

    unexpanded: State | None
    rule: int
    append: Callable[[Any], None] | None
    place: Callable[[Any], None]
    subject: Callable[[bytes], None] | None
    whose: int
    stays: bool
    """Not simply masked: kept, or opened by `opens`."""
    keeps: bool
    opens: State | None
    unit_document: bool
    unit_array: bool
    named: dict[str, tuple[_Node | None, bool]]
    item_list: tuple[tuple[str, _Node, bool], ...]
    other: _Node | None


class DecodedWalk:
    """Gathers values of one document after the other. `gathered` has a column a rule.

    With `paths` true, a value's place is a dotted path in the dict that `gather` is given; else its
    container and key in the document itself.
    """

    def __init__(self, rules: Sequence[BoundRule]) -> None:
        self._rules = rules
        self.gathered = [Gathered() for _ in rules]
        self.kept = [0] * len(rules)
        self.named = any(rule.masker.needs_siblings for rule in rules)
        self._encoded = EncodedWalk(rules)
        self.fields: list[EncodedField] = []
        self._nodes: dict[State, _Node] = {}

    def _node(self, state: State) -> _Node:
        node = self._nodes.get(state)
        if node is not None:
            return node
        node = self._nodes[state] = _Node()
        node.unexpanded = state
        node.rule = state.winner
        node.append = node.subject = None
        node.keeps = node.unit_document = node.unit_array = False
        node.opens = state if state.decoder != NO_RULE else None
        if state.winner != NO_RULE:
            masker = self._rules[state.winner].masker
            column = self.gathered[state.winner]
            node.append, node.place = column.values.append, column.places.append
            node.subject = column.subjects.append if masker.needs_subject else None
            node.whose = int(masker.per_document)
            node.keeps = masker.changes == "never"
            node.unit_document = (masker.containers or masker.removes) and state.final
            node.unit_array = masker.removes and state.final
        elif node.opens is not None:
            node.append = (
                _nowhere  # what is opened here is to be looked at, though no rule covers it as it is
            )
        node.stays = node.keeps or node.opens is not None
        return node

    def _expand(self, node: _Node, state: State) -> None:
        """Make the nodes one key further; done when the first document gets there."""
        node.unexpanded = None
        node.named = {
            key: (None if child is None else self._node(child), named)
            for key, (child, named) in state.named.items()
        }
        node.item_list = tuple(
            (key, child, named) for key, (child, named) in node.named.items() if child is not None
        )
        node.other = None if state.other is None else self._node(state.other)

    def forget_nodes(self) -> None:
        """Let go of automata that are no longer used."""
        self._nodes.clear()

    def reset(self, *, paths: bool) -> None:
        """Begin a new batch."""
        self._into_fields = paths
        self._dotted = paths or self.named
        self.clear()
        self.kept[:] = [0] * len(self._rules)

    def clear(self) -> None:
        """Let go of the last batch's values."""
        self.fields.clear()
        for column in self.gathered:
            column.values.clear()
            column.places.clear()
            column.subjects.clear()

    def gather(
        self,
        number: int,
        document: dict[str, Any],
        subjects: Subjects,
        fields: dict[str, Any],
        root: State,
    ) -> None:
        """Add the values of document `number`, by the automaton that begins at `root`.

        `subjects` stand for the person and for the document itself.
        Raises NeedsSplice, then with some values already added.
        """
        self._number = number
        self._subjects = subjects
        self._fields = fields
        self._document(document, self._node(root), "")

    def gather_piece(self, items: dict[str, Any], subjects: Subjects, around: Around) -> None:
        """As `gather`, the elements of a piece; those of an array have their indices as keys."""
        if around.path is None and self.named:
            raise NeedsSplice
        self._number = 0
        self._subjects = subjects
        node, prefix = self._node(around.state), around.path or ""
        if not around.in_array:
            self._document(items, node, prefix)
            return
        for key, element in items.items():
            if type(element) is dict and not node.unit_document:
                self._document(element, node, f"{prefix}{key}." if self._dotted else "")
            elif element is not None:
                self._value(items, key, element, node, prefix)

    def _document(self, document: dict[str, Any], node: _Node, prefix: str) -> None:
        if node.unexpanded is not None:
            self._expand(node, node.unexpanded)
        if node.other is None:
            get = document.get
            for key, child, named in node.item_list:
                value = get(key)
                if value is None or (child.append is None and type(value) in _PLAIN):
                    continue
                if not named:
                    raise NeedsSplice
                self._value(document, key, value, child, prefix)
            return
        find, other = node.named.get, node.other
        for key, value in document.items():
            found = find(key)
            below = other if found is None else found[0]
            if below is None or value is None or (below.append is None and type(value) in _PLAIN):
                continue
            if not (nameable(key) if found is None else found[1]):
                raise NeedsSplice
            self._value(document, key, value, below, prefix)

    def _value(self, container: Any, key: Any, value: Any, node: _Node, prefix: str) -> None:
        kind = type(value)
        if kind not in _PLAIN:
            if kind is dict:
                if not node.unit_document:
                    self._document(value, node, f"{prefix}{key}." if self._dotted else "")
                    return
            elif kind is list:
                if not node.unit_array:
                    self._array(value, node, f"{prefix}{key}." if self._dotted else "")
                    return
            elif kind in RAW_ONLY:
                raise NeedsSplice
        append = node.append
        if append is None:
            return
        if node.stays:
            if node.opens is not None and kind is not dict and kind is not list:
                self._open(container, key, value, node.opens, prefix)
                return
            if node.keeps:
                self.kept[node.rule] += 1
                return
        append(value)
        if self._dotted:
            path = f"{prefix}{key}"
            if self._into_fields:
                node.place((self._fields, path, self._number, type(container) is dict, path))
            else:
                node.place((container, key, self._number, type(container) is dict, path))
        else:
            node.place((container, key, self._number, type(container) is dict, ""))
        if node.subject is not None:
            node.subject(self._subjects[node.whose])

    def _open(self, container: Any, key: Any, value: Any, state: State, prefix: str) -> None:
        """A field that is encoded: its values are masked, or all of it."""
        path = f"{prefix}{key}" if self._dotted else ""
        target, within = (self._fields, path) if self._into_fields else (container, key)
        place = (target, within, self._number, type(container) is dict, path)
        self.open_field(state, place, value, self._subjects)

    def open_field(self, state: State, place: Place, value: Any, subjects: Subjects) -> None:
        """Add what an encoded field at this place holds, or all of it where it does not hold what its rule says."""
        target, within, number, _, path = place
        opened = self._encoded.open(value, state, path)
        if opened.broken:
            add(self._rules[state.decoder], self.gathered, Undecodable(value), place, subjects)
            return
        for field in opened.fields[:1]:
            field.target, field.key = target, within
        self.fields += opened.fields
        self._encoded.give(opened, number, self.gathered, self.kept, subjects)

    def _array(self, array: list[Any], node: _Node, prefix: str) -> None:
        if node.append is None and _PLAIN.issuperset(map(type, array)):
            return  # nothing here that a rule covers, and nothing to go down into
        for index, element in enumerate(array):
            if element is None:
                continue
            if type(element) is dict and not node.unit_document:
                self._document(element, node, f"{prefix}{index}." if self._dotted else "")
            else:
                self._value(array, index, element, node, prefix)


def _nowhere(value: Any) -> None:
    """What is covered by no rule goes into no column."""
