"""The value types that the plugin interfaces speak in. Nothing here does anything."""

from __future__ import annotations

import enum
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple


class Marker(enum.Enum):
    """What a masker may put into a column instead of a value."""

    REMOVE = "remove"
    """Take the field out of its document (in an array: null, so that lengths stay)."""
    FAILED = "failed"
    """This value could not be masked: the engine treats it as `on_error` says, and counts it."""


REMOVE: Final = Marker.REMOVE
FAILED: Final = Marker.FAILED

Uniqueness = Literal["injective", "probable", "lossy"]
"""injective: two values never share a mask; probable: they hardly ever do; lossy: they may well."""

Changes = Literal["always", "maybe", "never"]
"""Whether a masked value differs from its original: `maybe` for an age of 40 under a cap of 89."""


@dataclass(frozen=True, slots=True)
class MaskedField:
    """A value that a rule has masked: its dotted path without and with array indices, before and after."""

    path: str
    place: str
    original: Any = field(repr=False)
    masked: Any = field(repr=False)


@dataclass(slots=True)
class Column:
    """All values of one rule in one batch.

    `values` holds no null and only BSON types the masker declares, as PyMongo decodes them: str, int
    (int32), bson.int64.Int64, float, bson.decimal128.Decimal128, datetime.datetime (naive, UTC) or
    bson.datetime_ms.DatetimeMS outside of datetime's years, bool, bson.objectid.ObjectId and so on;
    a container masker is also given dicts. `subjects` has, for each value, what stands for the person the
    document is about; where the document names none, its `_id` takes the place. It is empty unless the masker
    needs subjects, as are `siblings` (for each value, what other rules have masked in its document) and `places`
    (each value's dotted path, array indices included) unless it needs siblings.
    """

    path: str
    values: Sequence[Any] = field(repr=False)
    subjects: Sequence[bytes] = field(repr=False)
    siblings: Sequence[Sequence[MaskedField]] = field(default=(), repr=False)
    places: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class OriginalValues:
    """What one rule is about to mask in some documents: the rule's path as the collection file writes it, and values as
    in a Column, but of any BSON type.

    When they are called, `documents` tells for each value which of the documents it stands in, and `fields` what its
    sub-document is told from others by among these, and the name of its field.
    """

    path: str
    values: Sequence[Any] = field(repr=False)
    documents: Callable[[], Iterator[int]] = field(repr=False)
    fields: Callable[[], Iterator[tuple[Hashable, str]]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class DocumentId:
    """An `_id` exactly as stored: the BSON type byte and the value's bytes."""

    bson_type: int
    value: bytes

    def __repr__(self) -> str:  # an _id may be PHI
        return f"DocumentId(bson_type={self.bson_type:#04x})"


@dataclass(frozen=True, slots=True)
class Partition:
    """The documents with `after` < `_id` <= `upto` in BSON comparison order; None is no bound.

    `documents` is an estimate, or None.
    """

    number: int
    after: DocumentId | None
    upto: DocumentId | None
    documents: int | None = None


Lane = Literal["ordinary", "oversize"]
"""Where partitions wait: those of documents that are too large for the ordinary way, one each, have a lane of their
own."""


class BatchBudget(NamedTuple):
    """The most that the next batch may hold: a count and BSON bytes."""

    documents: int
    bytes: int


ComplexityClass = Literal["simple", "medium", "complex"]
"""How complex a document is, by the limits that the profile's `complexity` sets."""


@dataclass(frozen=True, slots=True)
class BatchCost:
    """What a batch took: documents, BSON bytes as read, seconds of work (read, mask, write, check).

    `classes`: documents and bytes as read by class, where a meter was asked; else empty. `peak_bytes`: resident bytes
    at the highest while the batch was in hand; `resident_bytes`: before it began; 0: not known.
    """

    documents: int
    bytes: int
    seconds: float
    classes: Mapping[ComplexityClass, tuple[int, int]] = field(default_factory=dict)
    peak_bytes: int = 0
    resident_bytes: int = 0


class Expected(NamedTuple):
    """What a batch is expected to take: seconds, and resident bytes at the highest."""

    seconds: float
    peak_bytes: float


Pressure = Literal["ok", "high", "critical"]

Relief = Literal["shrink", "drop", "collect", "pause", "recycle"]
"""What is done about memory, each with all that stand before it: batches are shrunk; caches are dropped; garbage is
collected, and unused memory given back to the system; work stands still; the process is replaced by a new one."""


@dataclass(frozen=True, slots=True)
class MemoryReading:
    """What a memory governor saw: pressure, resident bytes, the ceiling in bytes.

    `shrink` is the factor (0 to 1) by which the next batches' byte budget is to be cut: 1.0 leaves it. `relief` is how
    far to go; None leaves that to the engine, which goes by the pressure.
    """

    pressure: Pressure
    rss_bytes: int
    ceiling_bytes: int
    shrink: float = 1.0
    relief: Relief | None = None


class Wildcard(enum.Enum):
    """The parts of a rule's path that are no key: `*` is any one key, `**` any number of keys, none too."""

    ANY_KEY = "*"
    ANY_DEPTH = "**"


@dataclass(frozen=True, slots=True)
class RuleFacts:
    """What a validator may know of a rule: its path, its masker's name and declared properties.

    `segments` is the path in parts: keys, and wildcards between them; array indices are no part of a path.
    Of several rules that match a value's path or the path of anything around it, the last in the order
    of rules wins.
    `produces` names the BSON types a masked value may have; None means the value's own type. `stays`, where
    `changes` is `maybe`, answers for a BSON type and value bytes whether that value is its own mask, as an age of
    40 is under a cap of 89; None: nobody can tell.
    `decode` says how the strings that the rule covers are held, as `json` or `base64`, outermost first: paths go on
    inside. Such a rule without `types` masks nothing itself, and only speaks of the field at its path.
    `same`: equal values become equal masks under all rules that have the same text here; None: nobody can tell. `scope`
    narrows that to documents with the same value at this path, such as the subject's or `_id`; empty: everywhere.
    """

    path: str
    segments: tuple[str | Wildcard, ...]
    masker: str
    changes: Changes
    types: frozenset[str]
    produces: frozenset[str] | None
    containers: bool
    removes: bool
    stays: Callable[[int, bytes], bool] | None = None
    decode: tuple[str, ...] = ()
    same: str | None = None
    scope: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DocumentPair:
    """One document before and after masking, raw BSON; None where there is none.

    `without`: the rules, by their place among the validator's, that do not apply to this document.
    """

    before: bytes | None = field(repr=False)
    after: bytes | None = field(repr=False)
    without: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts at the end of a batch (phase `during`) or of a collection (phase `after`).

    `read`: documents read to be masked; `written`: of those, changed and acknowledged; `unchanged`:
    nothing to mask in them; `quarantined`: left out, by id, in the quarantine list; `missing`: deleted by
    someone else between read and write. `stored`: documents that the server counts afterwards in the place
    they were to be in, or None where that cannot be known.
    """

    read: int
    written: int
    unchanged: int
    quarantined: int
    missing: int
    stored: int | None = None


Phase = Literal["before", "during", "after"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a validator has to say: no value, no document id. `path` is a dotted path without indices."""

    what: str
    path: str | None = None
    count: int = 1


class Detection(NamedTuple):
    """A stretch of a text that looks like PHI: [start, end) in code points, a label, confidence 0 to 1."""

    start: int
    end: int
    label: str
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class CollectionFacts:
    """What is known of a collection, for preflight validators, and for others once it is masked.

    `indexes` are specifications as the server lists them. `unusable`, once it is masked: the names of those that the
    server would not use, or is still building.
    """

    namespace: str
    documents: int
    bytes: int
    options: dict[str, Any] = field(default_factory=dict)
    indexes: tuple[dict[str, Any], ...] = ()
    unusable: tuple[str, ...] = ()
