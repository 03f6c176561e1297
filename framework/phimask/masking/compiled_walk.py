"""The compiled walk: as the decoded one, but nothing is decoded that no rule covers.

It is there where `phimask.compiled` is. A document that it cannot treat exactly it leaves to the decoded walk.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import bson
from bson.int64 import Int64
from bson.objectid import ObjectId

from phimask.compiled.patch import Patcher
from phimask.compiled.walk import Node, Odd, Walk, element_at
from phimask.masking.automaton import NO_RULE, State
from phimask.masking.bson_types import LOSSLESS
from phimask.masking.columns import BoundRule, Subjects, subject_bytes, without_subject
from phimask.masking.decoded import RAW_ONLY, DecodedWalk
from phimask.masking.pieces import Around
from phimask.masking.splice import decode_value, encode_value, is_utf8
from phimask.plugins.values import REMOVE
from phimask.rawbson import DOCUMENT, STRING, wrap


class CompiledWalk:
    """Gathers values of one document after the other, into the columns and counts of a decoded walk."""

    def __init__(
        self, rules: Sequence[BoundRule], into: DecodedWalk, subject: tuple[str, ...] | None
    ) -> None:
        self._rules = rules
        self._into = into
        self._subject = tuple(key.encode("utf-8", "surrogatepass") for key in subject or ())
        self._nodes: dict[State, Node] = {}
        self._walk = Walk(self._after, _decoded, ObjectId, Int64, into.kept)
        self._patcher = Patcher(encode_value, REMOVE, Int64, ObjectId)

    def forget_nodes(self) -> None:
        """Let go of automata that are no longer used."""
        self._nodes.clear()

    def subjects(self, raw: bytes, *, own_too: bool) -> Subjects | None:
        """What stands for the person and, where asked for or nothing else stands for one, for the document itself.
        None: that is left to the other walks."""
        try:
            found = self._subject_of(raw) if self._subject else None
            if found is not None and not own_too:
                return found, b""
            place = element_at(raw, (b"_id",))
        except Odd:
            return None
        identity = b"\x0a\0" if place is None else bytes((place[0], 0)) + raw[place[1] : place[2]]
        own = without_subject(wrap(identity))
        return (own if found is None else found), own

    def _subject_of(self, raw: bytes) -> bytes | None:
        place = element_at(raw, self._subject)
        if place is None or place[0] == DOCUMENT:
            return None
        kind, start, end = place
        if kind == STRING:
            text = raw[start + 4 : end - 1]
            return text or None if raw[end - 1] == 0 and is_utf8(text) else None
        return subject_bytes(decode_value(kind, raw[start:end]))

    def gather(
        self, number: int, raw: bytes, subjects: Subjects, target: dict[Any, Any], root: State, *, paths: bool
    ) -> bool:
        """Add the values of document `number`; the keys of `target` are to be their dotted paths or, without `paths`,
        where their elements begin. False: it is left to the decoded walk, with nothing added."""
        return self._gather(number, raw, subjects, target, self._node(root), paths=paths)

    def gather_piece(self, raw: bytes, target: dict[Any, Any], subjects: Subjects, around: Around) -> bool:
        """As `gather`, the elements of a piece."""
        if around.path is None and self._into.named:
            return False
        return self._gather(
            0,
            raw,
            subjects,
            target,
            self._node(around.state),
            paths=False,
            in_array=around.in_array,
            first=around.first,
            prefix=(around.path or "").encode("utf-8", "surrogateescape"),
        )

    def _gather(
        self,
        number: int,
        raw: bytes,
        subjects: Subjects,
        target: dict[Any, Any],
        node: Node,
        *,
        paths: bool,
        in_array: bool = False,
        first: int = 0,
        prefix: bytes = b"",
    ) -> bool:
        into = self._into
        kept, fields = into.kept[:], len(into.fields)
        try:
            self._walk.gather(
                node,
                raw,
                number,
                subjects,
                target,
                by_path=paths,
                dotted=paths or into.named,
                in_array=in_array,
                first=first,
                prefix=prefix,
            )
        except Odd:
            into.kept[:] = kept
            del into.fields[fields:]
            for column in into.gathered:
                length = len(column.places)
                while length and column.places[length - 1][2] == number:
                    length -= 1
                column.cut(length)
            return False
        return True

    def patched(self, raw: bytes, edits: dict[int, Any]) -> bytes:
        """The document with each masked value at the element that begins there. Raises what PyMongo raises for what
        it cannot encode."""
        return self._patcher.patched(raw, edits)

    def _node(self, state: State) -> Node:
        node = self._nodes.get(state)
        if node is None:
            node = self._nodes[state] = self._made(state)
        return node

    def _made(self, state: State) -> Node:
        opens = None if state.decoder == NO_RULE else partial(self._open, state)
        if state.winner == NO_RULE:
            return Node(
                state, 0, None, None, None, 0, opens, keeps=False, whole_documents=False, whole_arrays=False
            )
        masker = self._rules[state.winner].masker
        column = self._into.gathered[state.winner]
        return Node(
            state,
            state.winner,
            column.values,
            column.places,
            column.subjects if masker.needs_subject else None,
            int(masker.per_document),
            opens,
            keeps=masker.changes == "never",
            whole_documents=(masker.containers or masker.removes) and state.final,
            whole_arrays=masker.removes and state.final,
        )

    def _after(self, state: State) -> tuple[list[tuple[bytes, Node | None, bool]], Node | None]:
        """What is one key further than a state."""
        named = [
            (key.encode("utf-8", "surrogatepass"), None if below is None else self._node(below), nameable)
            for key, (below, nameable) in state.named.items()
        ]
        return named, None if state.other is None else self._node(state.other)

    def _open(
        self,
        state: State,
        target: dict[Any, Any],
        key: Any,
        value: Any,
        number: int,
        is_field: bool,
        path: str,
        subjects: Subjects,
    ) -> None:
        self._into.open_field(state, (target, key, number, is_field, path), value, subjects)


def _decoded(kind: int, encoded: bytes) -> Any:
    """A value of a type that is not often masked. Raises Odd where it is not encoded to the same bytes again."""
    raw = wrap(bytes((kind, 0)) + encoded)
    value = None
    try:
        value = bson.decode(raw, LOSSLESS)[""]
        exact = bson.encode({"": value}, codec_options=LOSSLESS) == raw
    except Exception:  # noqa: BLE001  (PyMongo raises several, and their messages hold values)
        exact = False
    if not exact or type(value) in RAW_ONLY:
        raise Odd from None
    return value
