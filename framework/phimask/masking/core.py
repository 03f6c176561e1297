"""The narrow door of the masking room: batches of raw documents in, raw changes or raw documents out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import bson

from phimask import compiled
from phimask.masking.automaton import State, automaton_of
from phimask.masking.bson_types import LOSSLESS
from phimask.masking.columns import BoundRule, Gathered, OnError, Subjects, subject_bytes, without_subject
from phimask.masking.decoded import DecodedWalk, NeedsSplice
from phimask.masking.in_hand import BatchInHand
from phimask.masking.large import LargeDocuments
from phimask.masking.outcomes import NEEDS_WHOLE, MaskedBatch, Mode, not_walked
from phimask.masking.pieces import Around
from phimask.masking.splice import RawWalk, decode_value
from phimask.masking.unmapped import Unmapped
from phimask.plugins.interfaces import Masker
from phimask.rawbson import Element, MalformedBsonError, elements, wrap

if compiled.AVAILABLE:
    from phimask.masking.compiled_walk import CompiledWalk
else:
    CompiledWalk = None  # type: ignore[assignment,misc]

_MOST_AUTOMATA: Final = 256
"""Sets of rules that do not apply, each with its automaton: more than these are made anew."""

SLICE_BYTES: Final = 2 * 1024 * 1024
"""A batch is masked in slices of so many bytes, since a value takes many times its bytes while it is masked. A larger
document is masked in pieces."""

_NEAR_BYTES: Final = 256 * 1024
"""What is decoded of so many bytes stays near the processor until it is masked and encoded: of the sizes tried, from
64 kB to 2 MB, the one that took the least time, a fifth less than 2 MB."""


class MaskingCore:
    """Masks batches by one collection's rules. Not safe for threads: one for each worker.

    With `originals` or `covered`, batches of updates tell these too, and documents that need the exact walk are left
    to be masked whole. `note` is shown the columns of originals before they are masked. `slice_bytes`: see SLICE_BYTES.
    """

    def __init__(
        self,
        rules: Sequence[BoundRule],
        subject: tuple[str, ...] | None,
        on_error: OnError,
        *,
        originals: bool = False,
        covered: bool = False,
        note: Callable[[Sequence[Gathered]], None] | None = None,
        slice_bytes: int = SLICE_BYTES,
    ) -> None:
        self._rules = tuple(rules)
        self._slice_bytes = slice_bytes
        long = any(rule.masker.long_columns for rule in rules)
        self._together = slice_bytes if long else min(slice_bytes, _NEAR_BYTES)
        # What a masker hears of its value's document has to be all of it.
        self._cuts = not any(
            rule.masker.needs_siblings and not isinstance(rule.masker, Unmapped) for rule in rules
        )
        self._subject = subject
        self._per_document = any(rule.masker.per_document for rule in rules)
        self._on_error: OnError = on_error
        self._tells = originals, covered
        self._note = note
        self._roots: dict[frozenset[int], State] = {}
        self._decoded = DecodedWalk(self._rules)
        self._compiled = None if CompiledWalk is None else CompiledWalk(self._rules, self._decoded, subject)
        self._raw = RawWalk(self._rules)
        self._large = LargeDocuments(self._rules, slice_bytes // 2)

    def cached_bytes(self) -> int:
        """What its maskers have put aside so as not to compute results again, by their own account."""
        return sum(masker.cached_bytes() for masker in self._maskers())

    def drop_caches(self) -> None:
        """Let go of those."""
        self._large.forget()
        for masker in self._maskers():
            masker.drop_cache()

    def _maskers(self) -> list[Masker]:
        return list({id(rule.masker): rule.masker for rule in self._rules}.values())

    @property
    def tells_originals(self) -> bool:
        """Whether batches of updates tell what stood there before."""
        return self._tells[0]

    def _root(self, without: frozenset[int]) -> State:
        root = self._roots.get(without)
        if root is None:
            if len(self._roots) >= _MOST_AUTOMATA:
                self._roots.clear()
                self._decoded.forget_nodes()
                if self._compiled is not None:
                    self._compiled.forget_nodes()
            root = self._roots[without] = automaton_of(self._rules, without)
        return root

    def mask(
        self, documents: Sequence[bytes], mode: Mode, without: Sequence[frozenset[int]] = ()
    ) -> MaskedBatch:
        """Mask a batch of raw documents. `without`, parallel to them, names rules that do not apply to each.

        Mode `update` answers with updates of the changed paths and takes documents that lack fields no rule
        names; mode `whole` needs whole documents and answers with such. Raises MaskingError if `on_error` is
        halt and a value fails.
        """
        roots = [self._root(rules) for rules in without] or [self._root(frozenset())] * len(documents)
        done = MaskedBatch.nothing(len(self._rules))
        start = size = 0
        for at, raw in enumerate(documents):
            large = self._cuts and len(raw) > self._slice_bytes
            if start < at and (large or size + len(raw) > self._together):
                done.add(self._mask(documents[start:at], mode, roots[start:at]))
                start, size = at, 0
            size += len(raw)
            if large:
                done.add(
                    self._needs_whole()
                    if mode == "update"
                    else self._large.masked(raw, roots[at], self._raw_subjects, self._piece)
                )
                start, size = at + 1, 0
        if start < len(documents):
            done.add(self._mask(documents[start:], mode, roots[start:]))
        return done

    def _needs_whole(self) -> MaskedBatch:
        """Of a large document: thousands of paths would keep the server busy for longer."""
        done = MaskedBatch.nothing(len(self._rules))
        originals, covered = self._tells
        done.outcomes.append(NEEDS_WHOLE)
        done.uncounted.add(0)
        done.originals += [None] * originals
        done.covered += [b""] * covered
        return done

    def _piece(self, part: bytes, subjects: Subjects, around: Around) -> MaskedBatch:
        return self._mask([part], "whole", [around.state], (subjects, around))

    def _mask(
        self,
        documents: Sequence[bytes],
        mode: Mode,
        roots: Sequence[State],
        piece: tuple[Subjects, Around] | None = None,
    ) -> MaskedBatch:
        """Documents together; or a piece of one, with the document's subjects, and where it lies."""
        patched = None if self._compiled is None else self._compiled.patched
        batch = BatchInHand(self._rules, self._on_error, mode, documents, self._tells, patched)
        decoded = self._decoded
        decoded.reset(paths=mode == "update")
        for number, raw in enumerate(documents):
            if self._gather_compiled(batch, number, roots[number], piece):
                continue
            try:
                document: dict[str, Any] = bson.decode(raw, LOSSLESS)
                exact = bson.encode(document, codec_options=LOSSLESS) == raw
            except Exception:  # noqa: BLE001  (PyMongo raises several, and their messages hold values)
                exact = False
            if not exact:
                batch.spliced.append(number)
                continue
            kept = decoded.kept[:]
            target = batch.targets[number] = {} if mode == "update" else document
            try:
                if piece is None:
                    decoded.gather(number, document, self._subjects_of(document), target, roots[number])
                else:
                    decoded.gather_piece(document, *piece)
            except (NeedsSplice, RecursionError):
                decoded.kept[:] = kept
                batch.spliced.append(number)
        if self._note is not None:
            self._note(decoded.gathered)
        batch.distribute(decoded.gathered, decoded.kept, decoded.fields)
        decoded.clear()
        if batch.spliced and mode == "update" and any(self._tells):
            for number in batch.spliced:
                batch.outcomes[number] = NEEDS_WHOLE
            batch.uncounted.update(batch.spliced)
        elif batch.spliced:
            self._splice(batch, roots, piece)
        return batch.result()

    def _gather_compiled(
        self, batch: BatchInHand, number: int, root: State, piece: tuple[Subjects, Around] | None
    ) -> bool:
        """Whether the compiled walk has taken this document."""
        if self._compiled is None:
            return False
        raw = batch.documents[number]
        target: dict[Any, Any] = {}
        if piece is not None:
            taken = self._compiled.gather_piece(raw, target, *piece)
        else:
            subjects = self._compiled.subjects(raw, own_too=self._per_document)
            taken = subjects is not None and self._compiled.gather(
                number, raw, subjects, target, root, paths=batch.by_path
            )
        if taken:
            batch.give(number, target)
        return taken

    def _subjects_of(self, document: dict[str, Any]) -> Subjects:
        """What stands for the person, and, where a masker goes by it, for the document itself."""
        value: Any = document
        for key in self._subject or ():
            value = value.get(key) if type(value) is dict else None
        found = subject_bytes(value) if self._subject else None
        if found is not None and not self._per_document:
            return found, b""
        own = without_subject(bson.encode({"": document.get("_id")}))
        return (own if found is None else found), own

    def _splice(
        self,
        batch: BatchInHand,
        roots: Sequence[State],
        piece: tuple[Subjects, Around] | None,
    ) -> None:
        gathered = [Gathered() for _ in self._rules]
        kept = [0] * len(self._rules)
        for number in batch.spliced:
            raw = batch.documents[number]
            marks, counts, fields = (
                [len(column.values) for column in gathered],
                kept[:],
                len(self._raw.fields),
            )
            try:
                if piece is not None:
                    self._raw.gather_piece(raw, *piece, gathered, kept)
                elif self._raw.gather(number, raw, self._raw_subjects(raw), gathered, kept, roots[number]):
                    batch.note_repeats(number)
            except (MalformedBsonError, RecursionError) as error:
                batch.outcomes[number] = not_walked(error)
                kept[:] = counts
                del self._raw.fields[fields:]
                for column, mark in zip(gathered, marks, strict=True):
                    column.cut(mark)
        if self._note is not None:
            self._note(gathered)
        batch.distribute_spots(gathered, kept, self._raw.fields)
        self._raw.fields.clear()

    def _raw_subjects(self, raw: bytes) -> Subjects:
        found = self._raw_subject(raw, self._subject)
        return found, (self._raw_subject(raw, None) if self._per_document else b"")

    def _raw_subject(self, raw: bytes, subject: tuple[str, ...] | None) -> bytes:
        start = 0
        identity = b"\x0a\0"
        found: Element | None = None
        for depth, key in enumerate(subject or ("_id",)):
            found = None
            for element in elements(raw, start):
                if depth == 0 and element.key == b"_id":
                    identity = bytes((element.kind,)) + b"\0" + raw[element.value : element.end]
                if element.key == key.encode():
                    found = element
            if found is None or (found.kind != 0x03 and subject and depth < len(subject) - 1):
                return without_subject(wrap(identity))
            start = found.value
        value = None
        if subject and found:
            value = subject_bytes(decode_value(found.kind, raw[found.value : found.end]))
        return value if value is not None else without_subject(wrap(identity))
