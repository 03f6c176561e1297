"""Fields that hold a text in JSON or base64, while their batch is masked: what is in them, put back in its place.

Masked values are cut into the text where their originals stood, so that all else of it stays as it was written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple

from phimask.errors import MaskingError
from phimask.masking import json_text
from phimask.masking.bson_types import redaction
from phimask.masking.columns import BoundRule, Gathered, MaskedColumn, OnError, Unreadable, type_alias
from phimask.plugins.interfaces import Masker
from phimask.plugins.values import REMOVE, Column


class DecodeOnly(Masker):
    """The masker of a rule that says how its field is held, and leaves what is in it to other rules."""

    name: ClassVar[str] = "decode"
    changes = "maybe"
    idempotent = True

    def __init__(self) -> None:
        super().__init__({})

    def mask(self, column: Column) -> Sequence[Any]:  # noqa: D102  (it takes no type)
        raise NotImplementedError


class Undecodable(Unreadable):
    """The value of an encoded field that does not hold what its rule says: redacted as a whole."""

    __slots__ = ()

    def __init__(self, value: Any) -> None:
        super().__init__(type_alias(value), redaction(value))


class EncodedField:
    """One such field while its batch is masked: where it stands, its text, and what comes in whose place.

    Results are set by slot, as the items of a list are. `target` and `key` are where the field's new value goes, as in
    any Place; `number` is its document's; `rule` says how the field is held.
    """

    __slots__ = ("_json", "_new", "_text", "_wraps", "key", "number", "objects", "rule", "spans", "target")

    def __init__(self, text: str, wraps: Sequence[Callable[[str], Any]], rule: int, *, is_json: bool) -> None:
        self.rule = rule
        self._text = text
        self._wraps = wraps
        self._json = is_json
        self._new: dict[int, Any] = {}
        self.spans: list[tuple[int, int]] = []
        self.objects: list[Sequence[Member]] = []
        self.target: Any = None
        self.key: Any = None
        self.number = 0

    def slot(self, start: int, end: int) -> int:
        """A new slot, for what stands at [start, end) of the text."""
        self.spans.append((start, end))
        return len(self.spans) - 1

    def holds(self, value: Any) -> bool:
        """Whether a masked value can stand in the field."""
        if value is REMOVE or value is None:
            return True
        return json_text.can_write(value) if self._json else type(value) is str

    def __setitem__(self, slot: int, value: Any) -> None:
        self._new[slot] = value

    @property
    def is_changed(self) -> bool:
        """Whether any value in it was."""
        return bool(self._new)

    def closed(self) -> Any:
        """The field's new value. Of a text that was removed or nullified, null is left."""
        if not self._json:
            new = self._new[0]
            return None if new is REMOVE or new is None else self._wrapped(new)
        ascii_only = self._text.isascii()
        patches = [
            (*self.spans[slot], json_text.written(None if value is REMOVE else value, ascii_only=ascii_only))
            for slot, value in self._new.items()
        ]
        gone = {slot for slot, value in self._new.items() if value is REMOVE}
        if gone:
            cuts = [cut for members in self.objects for cut in _cuts(members, gone)]
            inside = {start for _, start, _ in cuts}
            patches = [patch for patch in patches if patch[0] not in inside]
            patches += [(start, end, "") for start, _, end in cuts]
        parts: list[str] = []
        at = 0
        for start, end, new in sorted(patches):
            parts += (self._text[at:start], new)
            at = end
        return self._wrapped("".join([*parts, self._text[at:]]))

    def _wrapped(self, text: str) -> Any:
        for wrap in reversed(self._wraps):
            text = wrap(text)
        return text


class Member(NamedTuple):
    """A member of a JSON object: where its key and its value begin and end, and the value's slot, if it has one."""

    start: int
    value: int
    end: int
    slot: int


def _cuts(members: Sequence[Member], gone: set[int]) -> list[tuple[int, int, int]]:
    """What to take out for members that are gone, with a comma each: where that begins, the value's start, the end."""
    cuts: list[tuple[int, int, int]] = []
    one_stays = False
    for place, member in enumerate(members):
        if member.slot not in gone:
            one_stays = True
        elif one_stays:
            cuts.append((members[place - 1].end, member.value, member.end))
        else:
            end = members[place + 1].start if place + 1 < len(members) else member.end
            cuts.append((member.start, member.value, end))
    return cuts


def held(rule: BoundRule, column: Gathered, result: MaskedColumn, on_error: OnError) -> MaskedColumn:
    """The results; those that the encoded field around them has no form for become null, and count as failed.

    Raises MaskingError if `on_error` is halt and there is one.
    """
    failed = {
        position
        for position, (place, value) in enumerate(zip(column.places, result.values, strict=True))
        if type(place[0]) is EncodedField and not place[0].holds(value)
    }
    if not failed:
        return result
    if on_error == "halt":
        raise MaskingError(rule.path, type_alias(column.values[min(failed)])) from None
    values = [None if position in failed else value for position, value in enumerate(result.values)]
    return MaskedColumn(values, result.failed | failed)
