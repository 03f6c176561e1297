"""The narrow door of the masking room: batches of raw documents in, raw changes or raw documents out."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from operator import add
from typing import Any, Final, Literal, TypeAlias

import bson

from phimask.masking.automaton import State, automaton_of
from phimask.masking.bson_types import LOSSLESS
from phimask.masking.columns import (
    BoundRule,
    Gathered,
    MaskedColumn,
    OnError,
    Place,
    mask_column,
    subject_bytes,
)
from phimask.masking.decoded import DecodedWalk, NeedsSplice
from phimask.masking.encoded import EncodedField, held
from phimask.masking.pieces import Around, TooLarge, mask_in_pieces
from phimask.masking.siblings import Siblings, in_turn
from phimask.masking.splice import (
    Edit,
    RawWalk,
    Spot,
    apply,
    decode_value,
    edit,
    redacted_bytes,
    update_document,
)
from phimask.masking.unmapped import Unmapped
from phimask.plugins.interfaces import Masker
from phimask.plugins.values import REMOVE
from phimask.rawbson import Element, MalformedBsonError, elements, wrap

Mode = Literal["update", "whole"]

MAX_DOCUMENT_BYTES: Final = 16 * 1024 * 1024
"""MongoDB's limit for a BSON document ("MongoDB Limits and Thresholds")."""


@dataclass(frozen=True, slots=True)
class Masked:
    """A document's outcome: the raw update (mode update) or the raw masked document (mode whole)."""

    bson: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Nothing in the document is to be masked."""


@dataclass(frozen=True, slots=True)
class NeedsWhole:
    """No update can name a masked path (dots, `$`, duplicate or empty keys): mask the whole document."""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """The document is to be left as it is and named in the quarantine list; `reason` holds no value."""

    reason: str


Outcome: TypeAlias = Masked | Unchanged | NeedsWhole | Quarantined

_MOST_AUTOMATA: Final = 256
"""Sets of rules that do not apply, each with its automaton: more than these are made anew."""

_SET: Final = slice(4 + len(b"\x03$set\0"), -1)
"""Where the fields of an update that only sets stand in its bytes, as a document."""

_NOWHERE: Final = frozenset({type(None), type(REMOVE)})

SLICE_BYTES: Final = 2 * 1024 * 1024
"""A batch is masked in slices of so many bytes, since a value takes many times its bytes while it is masked. A larger
document is masked in pieces."""

_LONG: Final = 5.0
"""Seconds from which on the mask of a large document is kept for when it is asked for again."""

_LENGTHS: Final = 64 * 1024
"""What the pieces of a document may have more than it, since each has a length of its own."""

UNCHANGED: Final = Unchanged()
NEEDS_WHOLE: Final = NeedsWhole()
TOO_LARGE: Final = Quarantined("masking makes the document larger than 16 MiB")


@dataclass(slots=True)
class MaskedBatch:
    """Outcomes parallel to the documents, and per rule how many values were masked, redacted because they
    failed, and kept.

    Of documents with an update, where the core is made to tell: `originals`, raw documents of the changed paths
    with what stood there before (None: only the whole document could be put back); `covered`, raw documents of all
    paths that rules cover, changed or not, with what stands there afterwards, nulls left out. `uncounted`: those,
    by number, that were left to be masked whole without a look at their values.
    """

    outcomes: list[Outcome]
    masked: list[int]
    redacted_on_error: list[int]
    kept: list[int]
    originals: list[bytes | None] = field(default_factory=list, repr=False)
    covered: list[bytes] = field(default_factory=list, repr=False)
    uncounted: set[int] = field(default_factory=set)

    def add(self, more: MaskedBatch) -> None:
        """The documents that follow."""
        self.uncounted.update(len(self.outcomes) + number for number in more.uncounted)
        self.outcomes += more.outcomes
        self.originals += more.originals
        self.covered += more.covered
        self.count(more)

    def count(self, more: MaskedBatch) -> None:
        """What was done to further values."""
        for mine, others in (
            (self.masked, more.masked),
            (self.redacted_on_error, more.redacted_on_error),
            (self.kept, more.kept),
        ):
            mine[:] = map(add, mine, others)


class _LeftOut(Exception):
    """A piece of a document cannot be masked, for this reason: the document is to be quarantined."""


@dataclass(frozen=True, slots=True, repr=False)
class _Kept:
    """A large document, and what was made of it: MongoDB ends a transaction after a minute, and one in which a document
    is masked for as long would never be written; when it is tried again, the mask is there."""

    raw: bytes
    root: State
    masked: MaskedBatch


class MaskingCore:
    """Masks batches by one collection's rules. Not safe for threads: one for each worker.

    With `originals` or `covered`, batches of updates tell these too, and documents that need the exact walk are left
    to be masked whole. `slice_bytes`: see SLICE_BYTES.
    """

    def __init__(
        self,
        rules: Sequence[BoundRule],
        subject: tuple[str, ...] | None,
        on_error: OnError,
        *,
        originals: bool = False,
        covered: bool = False,
        slice_bytes: int = SLICE_BYTES,
    ) -> None:
        self._rules = tuple(rules)
        self._slice_bytes = slice_bytes
        # What a masker hears of its value's document has to be all of it.
        self._cuts = not any(
            rule.masker.needs_siblings and not isinstance(rule.masker, Unmapped) for rule in rules
        )
        self._subject = subject
        self._per_document = any(rule.masker.per_document for rule in rules)
        self._on_error: OnError = on_error
        self._tells = originals, covered
        self._roots: dict[frozenset[int], State] = {}
        self._kept: _Kept | None = None
        self._decoded = DecodedWalk(self._rules)
        self._raw = RawWalk(self._rules)

    def cached_bytes(self) -> int:
        """What its maskers have put aside so as not to compute results again, by their own account."""
        return sum(masker.cached_bytes() for masker in self._maskers())

    def drop_caches(self) -> None:
        """Let go of those."""
        self._kept = None
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
        done = self._nothing()
        start = size = 0
        for at, raw in enumerate(documents):
            large = self._cuts and len(raw) > self._slice_bytes
            if start < at and (large or size + len(raw) > self._slice_bytes):
                done.add(self._mask(documents[start:at], mode, roots[start:at]))
                start, size = at, 0
            size += len(raw)
            if large:
                done.add(self._large(raw, mode, roots[at]))
                start, size = at + 1, 0
        if start < len(documents):
            done.add(self._mask(documents[start:], mode, roots[start:]))
        return done

    def _nothing(self) -> MaskedBatch:
        counts = [0] * len(self._rules)
        return MaskedBatch([], counts, counts[:], counts[:])

    def _large(self, raw: bytes, mode: Mode, root: State) -> MaskedBatch:
        """A document that is masked in pieces, and whole: thousands of paths would keep the server busy for longer."""
        done = self._nothing()
        if mode == "update":
            originals, covered = self._tells
            done.outcomes.append(NEEDS_WHOLE)
            done.uncounted.add(0)
            done.originals += [None] * originals
            done.covered += [b""] * covered
            return done
        kept = self._kept
        if kept is not None and kept.root is root and kept.raw == raw:
            return kept.masked
        start = time.perf_counter()
        changed = False

        def piece(part: bytes, around: Around) -> bytes:
            nonlocal changed
            masked = self._mask([part], "whole", [around.state], (subjects, around))
            done.count(masked)
            (outcome,) = masked.outcomes
            if isinstance(outcome, Quarantined):
                raise _LeftOut(outcome.reason)
            if isinstance(outcome, Masked):
                changed = True
                return outcome.bson
            return part

        outcome: Outcome
        try:
            subjects = self._raw_subjects(raw)
            whole = mask_in_pieces(
                raw, self._rules, root, piece, size=self._slice_bytes // 2, most=MAX_DOCUMENT_BYTES + _LENGTHS
            )
            outcome = Masked(whole) if changed else UNCHANGED
            if len(whole) > MAX_DOCUMENT_BYTES:
                outcome = TOO_LARGE
        except TooLarge:
            outcome = TOO_LARGE
        except _LeftOut as error:
            outcome = Quarantined(str(error))
        except (MalformedBsonError, RecursionError) as error:
            outcome = Quarantined(_why_not_walked(error))
        if isinstance(outcome, Quarantined):
            done = self._nothing()
        done.outcomes.append(outcome)
        self._kept = None
        if time.perf_counter() - start > _LONG and not any(
            isinstance(one, Unmapped) for one in self._maskers()
        ):
            self._kept = _Kept(raw, root, done)
        return done

    def _mask(
        self,
        documents: Sequence[bytes],
        mode: Mode,
        roots: Sequence[State],
        piece: tuple[tuple[bytes, bytes], Around] | None = None,
    ) -> MaskedBatch:
        """Documents together; or a piece of one, with the document's subjects, and where it lies."""
        batch = _Batch(self._rules, self._on_error, mode, documents, self._tells)
        decoded = self._decoded
        decoded.reset(paths=mode == "update")
        document: dict[str, Any] = {}
        for number, raw in enumerate(documents):
            try:
                document = bson.decode(raw, LOSSLESS)
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
        batch.distribute(decoded.gathered, decoded.kept, decoded.fields)
        decoded.clear()
        if batch.spliced and mode == "update" and any(self._tells):
            for number in batch.spliced:
                batch.outcomes[number] = NEEDS_WHOLE
            batch.uncounted.update(batch.spliced)
        elif batch.spliced:
            self._splice(batch, roots, piece)
        return batch.result()

    def _subjects_of(self, document: dict[str, Any]) -> tuple[bytes, bytes]:
        """What stands for the person, and, where a masker goes by it, for the document itself."""
        value: Any = document
        for key in self._subject or ():
            value = value.get(key) if type(value) is dict else None
        found = subject_bytes(value) if self._subject else None
        if found is not None and not self._per_document:
            return found, b""
        own = _without_subject(bson.encode({"": document.get("_id")}))
        return (own if found is None else found), own

    def _splice(
        self,
        batch: _Batch,
        roots: Sequence[State],
        piece: tuple[tuple[bytes, bytes], Around] | None,
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
                batch.outcomes[number] = Quarantined(_why_not_walked(error))
                kept[:] = counts
                del self._raw.fields[fields:]
                for column, mark in zip(gathered, marks, strict=True):
                    column.cut(mark)
        batch.distribute_spots(gathered, kept, self._raw.fields)
        self._raw.fields.clear()

    def _raw_subjects(self, raw: bytes) -> tuple[bytes, bytes]:
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
                return _without_subject(wrap(identity))
            start = found.value
        value = None
        if subject and found:
            value = subject_bytes(decode_value(found.kind, raw[found.value : found.end]))
        return value if value is not None else _without_subject(wrap(identity))


class _Batch:
    """One batch on its way: what each document's outcome is made of."""

    def __init__(
        self,
        rules: Sequence[BoundRule],
        on_error: OnError,
        mode: Mode,
        documents: Sequence[bytes],
        tells: tuple[bool, bool],
    ) -> None:
        self.documents = documents
        self.outcomes: list[Outcome] = [UNCHANGED] * len(documents)
        self.spliced: list[int] = []
        self.uncounted: set[int] = set()
        self.targets: list[dict[str, Any]] = [{}] * len(documents)
        self._rules = rules
        self._on_error: OnError = on_error
        self._mode = mode
        self._removed: set[int] = set()
        self._opened: set[int] = set()
        self._changed: set[int] = set()
        self._quarantine: dict[int, str] = {}
        self._masked = [0] * len(rules)
        self._redacted = [0] * len(rules)
        self._kept = [0] * len(rules)
        originals, covered = tells if mode == "update" else (False, False)
        self._originals: list[dict[str, Any]] | None = [{} for _ in documents] if originals else None
        # Most documents' updates say all that is covered; these are the others, and what is covered in them.
        self._covered: dict[int, dict[str, Any]] | None = {} if covered else None

    def distribute(
        self, gathered: Sequence[Gathered], kept: Sequence[int], fields: Sequence[EncodedField]
    ) -> None:
        """Mask the decoded columns and hand each result to its document. `fields` are those that were opened."""
        columns: list[tuple[Gathered, MaskedColumn]] = []
        for rule, column, result in self._masked_columns(gathered, kept, fields, frozenset(self.spliced)):
            if self._covered is not None:
                columns.append((column, result))
                self._note_apart(column, result, fields)
            if rule.masker.removes:
                self._remove(column, result)
                continue
            if rule.masker.changes == "maybe":
                self._put_changed(column, result)
                continue
            for (target, key, _, _, _), value in zip(column.places, result.values, strict=True):
                target[key] = value
            self._keep_originals(column)
            if self._mode == "whole":
                self._changed.update(place[2] for place in column.places)
        for one in reversed(fields):
            if one.is_changed:
                one.target[one.key] = one.closed()
                self._changed.add(one.number)
                if self._originals is not None or self._covered is not None:
                    # What was written in it before cannot always be told from what stands there afterwards.
                    self._opened.add(one.number)
        if self._covered:
            for column, result in columns:
                for place, value in zip(column.places, result.values, strict=True):
                    if place[2] in self._covered and _stands(place, value):
                        self._covered[place[2]][place[1]] = value

    def _note_apart(self, column: Gathered, result: MaskedColumn, fields: Sequence[EncodedField]) -> None:
        """Documents whose update will say something else than what stands there afterwards."""
        if fields or not _NOWHERE.isdisjoint(map(type, result.values)):
            for place, value in zip(column.places, result.values, strict=True):
                if not _stands(place, value):
                    self._note_unlike(place[2])

    def _note_unlike(self, number: int) -> None:
        if self._covered is not None:
            self._covered.setdefault(number, {})

    def _keep_originals(self, column: Gathered) -> None:
        if self._originals is not None:
            for place, value in zip(column.places, column.values, strict=True):
                if type(place[0]) is not EncodedField:
                    self._originals[place[2]][place[1]] = value

    def _put_changed(self, column: Gathered, result: MaskedColumn) -> None:
        """What stayed the same is not written: the server has it already."""
        for (target, key, number, _, _), original, value in zip(
            column.places, column.values, result.values, strict=True
        ):
            if value is not original and (value != original or type(value) is not type(original)):
                target[key] = value
                self._changed.add(number)
                if self._originals is not None and type(target) is not EncodedField:
                    self._originals[number][key] = original
            else:
                self._note_unlike(number)

    def _remove(self, column: Gathered, result: MaskedColumn) -> None:
        self._keep_originals(column)
        for (target, key, number, is_field, _), value in zip(column.places, result.values, strict=True):
            self._changed.add(number)
            if type(target) is EncodedField:
                target[key] = value
            elif value is REMOVE and is_field and self._mode == "whole":
                del target[key]
            elif value is REMOVE and is_field:
                target[key] = REMOVE
                self._removed.add(number)
            else:
                target[key] = None if value is REMOVE else value

    def note_repeats(self, number: int) -> None:
        """What the server projects of a document with a key twice may lack other fields: all of it is needed."""
        if self._mode == "update":
            self.outcomes[number] = NEEDS_WHOLE

    def distribute_spots(
        self, gathered: Sequence[Gathered], kept: Sequence[int], fields: Sequence[EncodedField]
    ) -> None:
        """Mask the columns of the raw walk and cut each result into its document."""
        edits: dict[int, list[Edit]] = {}
        for _, column, result in self._masked_columns(gathered, kept, fields, frozenset()):
            for position, (place, value) in enumerate(zip(column.places, result.values, strict=True)):
                number, spot, original = place[2], place[0], column.values[position]
                failed = position in result.failed
                if value is original and not failed:
                    continue
                if type(spot) is not EncodedField:
                    edits.setdefault(number, []).append(_edit(spot, value, failed=failed))
                elif failed or value != original or type(value) is not type(original):
                    spot[place[1]] = value
        for one in reversed(fields):
            if one.is_changed and type(one.target) is EncodedField:
                one.target[one.key] = one.closed()
            elif one.is_changed:
                edits.setdefault(one.number, []).append(edit(one.target, one.closed()))
        for number, changes in edits.items():
            if self._mode == "whole":
                self.outcomes[number] = Masked(apply(self.documents[number], changes))
            else:
                update = update_document(changes)
                self.outcomes[number] = NEEDS_WHOLE if update is None else Masked(update)

    def _masked_columns(
        self,
        gathered: Sequence[Gathered],
        kept: Sequence[int],
        fields: Sequence[EncodedField],
        skip: frozenset[int],
    ) -> Iterator[tuple[BoundRule, Gathered, MaskedColumn]]:
        """Each rule's column and what its masker made of it, counted but for the documents to skip; a masker that goes
        by other rules' results comes after them."""
        for index, count in enumerate(kept):
            self._kept[index] += count
        siblings = Siblings(self._rules)
        for rule, column in in_turn(self._rules, gathered):
            siblings.give(rule, column)
            result = mask_column(rule, column, self._on_error)
            if fields:
                result = held(rule, column, result, self._on_error)
            siblings.note(rule, column, result)
            self._count(rule, column, result, skip)
            yield rule, column, result

    def _count(self, rule: BoundRule, column: Gathered, result: MaskedColumn, skip: frozenset[int]) -> None:
        skipped = sum(place[2] in skip for place in column.places) if skip else 0
        failed = [position for position in result.failed if column.places[position][2] not in skip]
        self._redacted[rule.index] += len(failed)
        self._masked[rule.index] += len(column.values) - skipped - len(failed)
        if failed and self._on_error == "quarantine":
            for position in failed:
                self._quarantine[column.places[position][2]] = f"a value at {rule.path} could not be masked"

    def result(self) -> MaskedBatch:
        """Encode what is decoded still, and close the batch."""
        skip = frozenset(self.spliced)
        if self._mode == "update":
            for number, fields in enumerate(self.targets):
                if fields and number not in skip:
                    opened = number in self._opened
                    self.outcomes[number] = NEEDS_WHOLE if opened else _encoded(self._update(number, fields))
        else:
            for number in self._changed - skip:
                self.outcomes[number] = _encoded(self.targets[number])
        for number, outcome in enumerate(self.outcomes):
            if isinstance(outcome, Masked) and len(outcome.bson) > MAX_DOCUMENT_BYTES:
                self.outcomes[number] = TOO_LARGE if self._mode == "whole" else NEEDS_WHOLE
        for number, reason in self._quarantine.items():
            self.outcomes[number] = Quarantined(reason)
        return MaskedBatch(
            self.outcomes,
            self._masked,
            self._redacted,
            self._kept,
            [] if self._originals is None else [self._before(number) for number in range(len(self.outcomes))],
            [] if self._covered is None else [self._after(number) for number in range(len(self.outcomes))],
            self.uncounted,
        )

    def _after(self, number: int) -> bytes:
        """What stands afterwards at the paths that rules cover; the update itself, where it says all of that."""
        outcome = self.outcomes[number]
        if self._covered is not None and number not in self._covered and isinstance(outcome, Masked):
            return outcome.bson[_SET]
        return _raw((self._covered or {}).get(number, {}))

    def _before(self, number: int) -> bytes | None:
        """What puts an updated document's values back. A field that was taken out would come back at the end."""
        if self._originals is None or number in self._removed:
            return None
        return _raw(self._originals[number]) if isinstance(self.outcomes[number], Masked) else None

    def _update(self, number: int, fields: dict[str, Any]) -> dict[str, Any]:
        if number not in self._removed:
            return {"$set": fields}
        sets = {path: value for path, value in fields.items() if value is not REMOVE}
        update: dict[str, Any] = {"$set": sets} if sets else {}
        update["$unset"] = {path: "" for path, value in fields.items() if value is REMOVE}
        return update


def _stands(place: Place, value: Any) -> bool:
    """Whether a masked value will stand at a path that can be told."""
    return value is not None and value is not REMOVE and type(place[0]) is not EncodedField


def _why_not_walked(error: Exception) -> str:
    return "nested too deep" if isinstance(error, RecursionError) else "malformed BSON"


def _edit(spot: Spot, value: Any, *, failed: bool) -> Edit:
    """The edit for a masked value; types that no Python value stands for are spelt in bytes."""
    raw = redacted_bytes(spot.element.kind, value) if failed else None
    return edit(spot, value) if raw is None else Edit(spot, raw)


def _raw(document: dict[str, Any]) -> bytes:
    try:
        return bson.encode(document, codec_options=LOSSLESS)
    except Exception:  # noqa: BLE001  (the document is quarantined for it, and PyMongo's messages hold values)
        return b""


def _encoded(document: dict[str, Any]) -> Outcome:
    try:
        return Masked(bson.encode(document, codec_options=LOSSLESS))
    except Exception:  # noqa: BLE001  (PyMongo raises several, and their messages hold values)
        return Quarantined("a masked value cannot be encoded as BSON")


def _without_subject(identity: bytes) -> bytes:
    """A document that names no subject is its own: by its `_id`, apart from all real subjects."""
    return b"\0_id\0" + identity
