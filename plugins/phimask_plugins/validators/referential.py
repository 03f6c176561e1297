"""Validator `referential`: the same original is the same pseudonym, in every document and every collection."""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from operator import itemgetter
from typing import Any, ClassVar, Final, TypeAlias

from phimask import DocumentPair, Finding, RuleFacts, Validator
from phimask.compiled import fingerprints as compiled
from phimask_plugins.validators.bloom import Fingerprints
from phimask_plugins.validators.compare import comparer_for
from phimask_plugins.validators.matcher import State
from phimask_plugins.validators.parts import Masked
from phimask_plugins.validators.walk import ARRAY, BINARY, BLANK_VALUES, BLANKS, OBJECT, blank, first

INCONSISTENT: Final = "an original has become several pseudonyms under rules that mask alike"

_KEPT: Final = 8
"""Bytes of a fingerprint that are kept of each original: shorter is smaller, and still no accident: of a million
originals, two fall together once in 37 million times."""
_ENTRY: Final = struct.Struct(f"<{_KEPT}sQ")
"""An original, and in one number its pseudonym's checksum, its lot, and the rule's place."""
_PSEUDONYM: Final = 32
"""Where the checksum begins, in bits."""
_LOT: Final = 16
_16_BITS: Final = (1 << 16) - 1
_HEAD: Final = struct.Struct("<IQQ")
_MOST_SEEN: Final = 50_000
"""Values that are known to be as they were the last time, so that they need no fingerprint. Within a scope of their own
few come again."""
_LONGEST_SEEN: Final = 400
_MOST_STATES: Final = 10_000
_WHOLE: Final = 1 << 16
_CONTAINERS: Final = frozenset({OBJECT, ARRAY})
_STATE: Final = itemgetter(0)
_VALUE: Final = itemgetter(0, 1, 2, 3, 4)
_Value: TypeAlias = "tuple[State, int, bytes, int | None, bytes]"
"""Where it stands, its type and bytes, and the same once it is masked."""
_TYPES: Final = tuple(bytes((kind,)) for kind in range(256))


_Begun: TypeAlias = "tuple[Fingerprints, int]"
"""What makes fingerprints within a scope, and what lots are drawn by."""


class _Judged:
    """How values at a place are judged: what they are masked alike with; in what scope; the rule's place.
    `begun` are the fingerprints where the scope is everything."""

    __slots__ = ("alike", "begun", "place", "same", "scope")

    def __init__(self, same: str, scope: tuple[str, ...], place: int) -> None:
        self.same = same
        self.scope = scope
        self.alike = (same, *scope)
        self.place = place
        self.begun: _Begun | None = None


class Referential(Validator):
    """What could be joined before can be joined after, and means the same.

    Rules mask alike where masker and options are the same, the key's domain included; where a masker goes by the
    subject, within the documents of one subject. Rules whose masker masks the same value differently each time, or goes
    by a document's other fields, are not judged, nor are fields with `decode`. Redactions of what could not be masked
    do not count.

    Originals are remembered by keyed fingerprints, pseudonyms by checksums. With too many of them, those of a random
    share of the originals are: every occurrence of these is compared, and the share is said.
    """

    name = "referential"
    phases = frozenset({"after"})
    needs_key = True
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "most": {
                "type": "integer",
                "minimum": 1000,
                "default": 500_000,
                "description": "Originals that each process remembers, of some 150 bytes each. With more, a random "
                "share of them is compared.",
            },
        },
    }

    def __init__(self, options: Mapping[str, Any], rules: Sequence[RuleFacts] = (), key: bytes = b"") -> None:
        """`most`: see the schema."""
        super().__init__(options, rules)
        self._most: int = options.get("most", 500_000)
        self._comparer = comparer_for(self.rules)
        self._places = {rule.path: place for place, rule in enumerate(self.rules)}
        self._fingerprints = Fingerprints(key or b"\0", b"referential", _KEPT)
        self._judged: dict[State, _Judged | None] = {}
        self._known: dict[bytes, int] = {}
        self._seed = zlib.crc32(self._fingerprints.of(b"lots"))
        self._share = _WHOLE
        self._conflicts: Counter[int] = Counter()
        self._documents = 0
        self._seen: set[_Value] = set()

    def document(self, pair: DocumentPair) -> Iterable[Finding]:
        """Remembers; what differs is said at the end, once all processes have told what they know."""
        if pair.before is None or pair.after is None:
            return ()
        self._documents += 1
        masked = self._comparer.parts(pair).masked
        self._remember(masked, pair.before)
        if len(self._known) > self._most:
            self._thin(self._share // 2)
        return ()

    def _remember(self, masked: Sequence[Masked], before: bytes) -> None:
        """What each value has become."""
        if compiled is not None:
            compiled.remember(
                masked,
                self._judged,
                self._judge,
                partial(self._within, before),
                BLANKS,
                blank,
                self._share,
                self._known,
                self._conflicts,
            )
            return
        judged, seen, known = self._judged, self._seen, self._known
        if not judged.keys() >= set(map(_STATE, masked)):
            self._judge(masked)
        if len(seen) > _MOST_SEEN:
            seen.clear()
        begun: dict[tuple[str, ...], _Begun] = {}
        for value in dict.fromkeys(map(_VALUE, masked)):
            if value in seen:
                continue
            state, kind, old, new_kind, new = value
            how = judged[state]
            if how is None or new_kind is None or kind in _CONTAINERS:
                continue
            if (kind == BINARY or new in BLANK_VALUES) and (new_kind, new) == blank(kind, old):
                continue
            within = how.begun or begun.get(how.alike)
            if within is None:
                within = begun[how.alike] = self._within(before, how)
            fingerprints, seed = within
            typed = _TYPES[kind] + old
            lot = zlib.crc32(typed, seed) & _16_BITS
            if lot >= self._share:
                continue
            original = fingerprints.of(typed)
            entry = zlib.crc32(new, new_kind) << _PSEUDONYM | lot << _LOT | how.place
            if (known.setdefault(original, entry) ^ entry) >> _PSEUDONYM:
                self._conflicts[how.place] += sum(one[:5] == value for one in masked)
            elif not how.scope and len(old) + len(new) <= _LONGEST_SEEN:
                seen.add(value)

    def _judge(self, masked: Iterable[Masked]) -> None:
        """Find out how values in these places are judged."""
        if len(self._judged) >= _MOST_STATES:
            self._judged.clear()
        for one in masked:
            rule = one.state.rule
            self._judged[one.state] = (
                None
                if rule is None or rule.same is None
                else _Judged(rule.same, rule.scope, self._places[rule.path])
            )

    def _within(self, before: bytes, how: _Judged) -> _Begun:
        """Fingerprints of what is masked alike, in one scope."""
        if how.begun is not None:
            return how.begun
        scope = b""
        if how.scope:
            scope = _at(before, how.scope) or _at(before, ("_id",)) or b""
        alike = b"%b%d,%b" % (how.same.encode(), len(scope), scope)
        begun = self._fingerprints.beginning(alike), zlib.crc32(alike, self._seed)
        if not how.scope:
            how.begun = begun
        return begun

    def _thin(self, share: int) -> None:
        self._share = max(1, share)
        for original in [one for one, entry in self._known.items() if not self._is_of_share(entry)]:
            del self._known[original]

    def gathered(self) -> bytes:
        """Share, conflicts so far, and what it remembers."""
        conflicts = b"".join(struct.pack("<HI", rule, count) for rule, count in self._conflicts.items())
        return (
            _HEAD.pack(self._share, self._documents, len(conflicts))
            + conflicts
            + b"".join(map(_ENTRY.pack, self._known.keys(), self._known.values()))
        )

    def join(self, gathered: Sequence[bytes]) -> bytes:
        """All of it is taken in here, by the leading one."""
        for one in gathered:
            share, documents, length = _HEAD.unpack_from(one)
            self._documents += documents
            if share < self._share:
                self._thin(share)
            at = _HEAD.size
            for rule, count in struct.iter_unpack("<HI", one[at : at + length]):
                self._conflicts[rule] += count
            theirs = dict(_ENTRY.iter_unpack(memoryview(one)[at + length :]))
            if self._share < _WHOLE:
                theirs = {original: entry for original, entry in theirs.items() if self._is_of_share(entry)}
            self._compare(theirs, self._known)
            self._known = theirs | self._known
            while len(self._known) > self._most and self._share > 1:
                self._thin(self._share // 2)
        return b""

    def _compare(self, some: Mapping[bytes, int], others: Mapping[bytes, int]) -> None:
        """Count where they differ, by the rules of `some`."""
        for original in some.keys() & others.keys():
            entry = some[original]
            if (entry ^ others[original]) >> _PSEUDONYM:
                self._conflicts[entry & _16_BITS] += 1

    def _is_of_share(self, entry: int) -> bool:
        return entry >> _LOT & _16_BITS < self._share

    def conclude(self, earlier: Sequence[Validator]) -> Iterator[Finding]:
        """Conflicts, by the rule at whose path they were noticed; with earlier collections, too."""
        for other in earlier:
            if isinstance(other, Referential):
                self._compare(self._known, other._known)
        for rule, count in sorted(self._conflicts.items()):
            path = self.rules[rule].path if rule < len(self.rules) else None
            yield Finding(INCONSISTENT, path, count)

    def unjudged(self) -> Iterator[Finding]:
        """Which rules, and how many of the originals were compared."""
        blind = [rule for rule in self.rules if rule.same is None and rule.changes != "never" and rule.types]
        for masker in sorted({rule.masker for rule in blind}):
            yield Finding(f"rules with {masker}, under which equal values need not become equal")
        if self._share < _WHOLE:
            yield Finding(
                f"all but {self._share / _WHOLE:.1%} of the originals, which were too many: raise `most`"
            )


def _at(raw: bytes, path: Sequence[str]) -> bytes | None:
    """Type and bytes of the value at a path of keys, its scalars alone."""
    start, stop = 0, len(raw)
    for number, key in enumerate(path):
        found = first(raw, start, stop, key.encode("utf-8", "surrogatepass"))
        if found is None:
            return None
        if number == len(path) - 1:
            return _TYPES[found.kind] + raw[found.value : found.end]
        if found.kind != OBJECT:
            return None
        start, stop = found.value, found.end
    return None
