"""A batch on its way through the masking core: columns are masked, and each result goes to its document."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from typing import Any, Final

import bson

from phimask import compiled
from phimask.masking.bson_types import LOSSLESS
from phimask.masking.columns import BoundRule, Gathered, MaskedColumn, OnError, Place, mask_column
from phimask.masking.encoded import EncodedField, held
from phimask.masking.outcomes import (
    MAX_DOCUMENT_BYTES,
    NEEDS_WHOLE,
    TOO_LARGE,
    UNCHANGED,
    Masked,
    MaskedBatch,
    Mode,
    Outcome,
    Quarantined,
)
from phimask.masking.siblings import Siblings, in_turn
from phimask.masking.splice import Edit, Spot, apply, edit, redacted_bytes, update_document
from phimask.plugins.values import REMOVE

_SET: Final = slice(4 + len(b"\x03$set\0"), -1)
"""Where the fields of an update that only sets stand in its bytes, as a document."""

_NUMBER: Final = itemgetter(2)
"""Of a place: which document it is in."""

_NOWHERE: Final = frozenset({type(None), type(REMOVE)})


class BatchInHand:
    """One batch on its way: what each document's outcome is made of."""

    def __init__(
        self,
        rules: Sequence[BoundRule],
        on_error: OnError,
        mode: Mode,
        documents: Sequence[bytes],
        tells: tuple[bool, bool],
        patched: Callable[[bytes, dict[int, Any]], bytes] | None = None,
    ) -> None:
        self.documents = documents
        self.outcomes: list[Outcome] = [UNCHANGED] * len(documents)
        self.spliced: list[int] = []
        self.uncounted: set[int] = set()
        self.targets: list[dict[str, Any]] = [{}] * len(documents)
        self._rules = rules
        self._on_error: OnError = on_error
        self._mode = mode
        self.by_path = mode == "update"
        self._patched = patched
        self._to_patch: set[int] = set()
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

    def give(self, number: int, target: dict[Any, Any]) -> None:
        """Take what the compiled walk has places in: masked values by their paths, or by where they stand in it."""
        self.targets[number] = target
        if not self.by_path:
            self._to_patch.add(number)

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
            _put(column.places, result.values)
            self._keep_originals(column)
            if self._mode == "whole":
                self._changed.update(map(_NUMBER, column.places))
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
            elif value is REMOVE and is_field and number in self._to_patch:
                target[key] = REMOVE
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
                if number in self._to_patch and self._patched is not None:
                    edits = self.targets[number]
                    self.outcomes[number] = _outcome(self._patched, self.documents[number], edits)
                else:
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


def _put(places: list[Place], values: Sequence[Any]) -> None:
    if compiled.patch is not None:
        compiled.patch.put(places, values)
        return
    for (target, key, _, _, _), value in zip(places, values, strict=True):
        target[key] = value


def _stands(place: Place, value: Any) -> bool:
    """Whether a masked value will stand at a path that can be told."""
    return value is not None and value is not REMOVE and type(place[0]) is not EncodedField


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
    return _outcome(bson.encode, document, False, LOSSLESS)


def _outcome(encode: Callable[..., bytes], *what: Any) -> Outcome:
    try:
        return Masked(encode(*what))
    except Exception:  # noqa: BLE001  (PyMongo raises several, and their messages hold values)
        return Quarantined("a masked value cannot be encoded as BSON")
