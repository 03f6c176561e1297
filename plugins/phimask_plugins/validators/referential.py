"""Validator `referential`: the same original is the same pseudonym, in every document and every collection."""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final

from phimask import DocumentPair, Finding, RuleFacts, Validator
from phimask_plugins.validators.bloom import Fingerprints
from phimask_plugins.validators.compare import comparer_for
from phimask_plugins.validators.walk import ARRAY, OBJECT, blank, elements

INCONSISTENT: Final = "an original has become several pseudonyms under rules that mask alike"

_KEPT: Final = 8
"""Bytes of a fingerprint that are kept of each original: shorter is smaller, and still no accident: of a million
originals, two fall together once in 37 million times."""
_ENTRY: Final = struct.Struct(f"<{_KEPT}sIH")
_HEAD: Final = struct.Struct("<IQQ")
_MOST_SEEN: Final = 50_000
"""Values that are known to be as they were the last time, so that they need no fingerprint."""
_WHOLE: Final = 1 << 16


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
        self._fingerprint = Fingerprints(key or b"\0", b"referential").of
        self._known: dict[bytes, tuple[int, int]] = {}
        self._share = _WHOLE
        self._conflicts: Counter[int] = Counter()
        self._documents = 0
        self._seen: dict[tuple[str, bytes, int, bytes], bytes] = {}

    def document(self, pair: DocumentPair) -> Iterable[Finding]:
        """Remembers; what differs is said at the end, once all processes have told what they know."""
        if pair.before is None or pair.after is None:
            return ()
        self._documents += 1
        scopes: dict[tuple[str, ...], bytes] = {(): b""}
        seen = self._seen
        for one in self._comparer.parts(pair).masked:
            rule = one.state.rule
            if rule is None or rule.same is None or one.new_kind is None:
                continue
            scope = scopes.get(rule.scope)
            if scope is None:
                scope = _at(pair.before, rule.scope) or _at(pair.before, ("_id",)) or b""
                scopes[rule.scope] = scope
            key = (rule.same, scope, one.kind, one.old)
            if seen.get(key) == one.new:
                continue
            if one.kind in (OBJECT, ARRAY) or (one.new_kind, one.new) == blank(one.kind, one.old):
                continue
            if len(seen) >= _MOST_SEEN:
                seen.clear()
            seen[key] = one.new
            original = self._fingerprint(
                b"%b%d,%b%c%b" % (rule.same.encode(), len(scope), scope, one.kind, one.old)
            )
            if self._share == _WHOLE or int.from_bytes(original[:2], "little") < self._share:
                self._enter(original[:_KEPT], zlib.crc32(one.new, one.new_kind), self._places[rule.path])
        return ()

    def _enter(self, original: bytes, pseudonym: int, rule: int) -> None:
        known = self._known.get(original)
        if known is None:
            if len(self._known) >= self._most:
                self._thin(self._share // 2)
                if int.from_bytes(original[:2], "little") >= self._share:
                    return
            self._known[original] = (pseudonym, rule)
        elif known[0] != pseudonym:
            self._conflicts[rule] += 1

    def _thin(self, share: int) -> None:
        self._share = max(1, share)
        self._known = {
            original: entry
            for original, entry in self._known.items()
            if int.from_bytes(original[:2], "little") < self._share
        }

    def gathered(self) -> bytes:
        """Share, conflicts so far, and what it remembers."""
        conflicts = b"".join(struct.pack("<HI", rule, count) for rule, count in self._conflicts.items())
        return (
            _HEAD.pack(self._share, self._documents, len(conflicts))
            + conflicts
            + b"".join(_ENTRY.pack(original, *entry) for original, entry in self._known.items())
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
            for original, pseudonym, rule in _ENTRY.iter_unpack(one[at + length :]):
                if self._share == _WHOLE or int.from_bytes(original[:2], "little") < self._share:
                    self._enter(original, pseudonym, rule)
        return b""

    def conclude(self, earlier: Sequence[Validator]) -> Iterator[Finding]:
        """Conflicts, by the rule at whose path they were noticed; with earlier collections, too."""
        for other in earlier:
            if isinstance(other, Referential):
                known = other._known
                for original, (pseudonym, rule) in self._known.items():
                    there = known.get(original)
                    if there is not None and there[0] != pseudonym:
                        self._conflicts[rule] += 1
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
        wanted = key.encode("utf-8", "surrogatepass")
        found = next((one for one in elements(raw, start, stop) if one.key == wanted), None)
        if found is None:
            return None
        if number == len(path) - 1:
            return bytes((found.kind,)) + raw[found.value : found.end]
        if found.kind != OBJECT:
            return None
        start, stop = found.value, found.end
    return None
