"""Synthetic people with canaries in them, what one masking makes of them, and how a collection differs from that.

The expected documents come from the oracle, on a copy taken before. None of the maskers is idempotent, so that a
document masked twice is told from one masked once by any of its fields.
"""

from __future__ import annotations

import datetime
import hashlib
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import bson
from bson import Decimal128, Int64, ObjectId, Timestamp
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument

from oracle import Mask, Segments, expected, for_types, on_text, plus_a_day, redacted
from phimask import Wildcard
from phimask.store.raw import split

CANARY = "Zqx7Vireo"
"""Begins every value that is to be masked, and stands in nothing else."""
_FIRST = datetime.datetime(1930, 1, 1, tzinfo=datetime.timezone.utc)
_STRING, _INT32 = 0x02, 0x10
_WHATEVER: CodecOptions[Any] = CodecOptions(RawBSONDocument, unicode_decode_error_handler="replace")
"""For documents that hold what is no UTF-8, wherever but in their `_id`s."""


def stamped(text: bytes) -> bytes:
    """What the masker `stamp` makes of a string."""
    return b"masked " + hashlib.sha256(text).hexdigest()[:16].encode()


def _stamped_or_redacted(bson_type: int, value: bytes) -> object:
    """What is no UTF-8 no masker is given."""
    try:
        value[4:-1].decode()
    except UnicodeDecodeError:
        return redacted(bson_type, value)
    return on_text(stamped)(bson_type, value)


def one_more(bson_type: int, value: bytes) -> tuple[int, bytes]:
    """What the masker `add_one` makes of an integer."""
    return bson_type, (int.from_bytes(value, "little") + 1).to_bytes(4, "little")


Rules = Sequence[tuple[Segments, Mask]]
RULES: Rules = [
    (("Name",), for_types([_STRING], _stamped_or_redacted)),
    (("Count",), for_types([_INT32], one_more)),
    (("Born",), plus_a_day),
    (("Visits", "Date"), plus_a_day),
    (("Visits", "Note"), on_text(stamped)),
    (("Deep", Wildcard.ANY_DEPTH, "Note"), on_text(stamped)),
    (("Numbers",), for_types([_INT32], one_more)),
]
COLLECTION_FILE = """\
version: 1
collection: people
rules:
  - {path: Name, masker: stamp}
  - {path: Count, masker: add_one}
  - {path: Born, masker: day_later}
  - {path: Visits.Date, masker: day_later}
  - {path: Visits.Note, masker: stamp}
  - {path: "Deep.**.Note", masker: stamp}
  - {path: Numbers, masker: add_one}
"""


def person(chance: random.Random, identity: Any, name: str = "") -> dict[str, Any]:
    """A person who never was; `name` goes into the name, behind the canary."""
    document: dict[str, Any] = {
        "_id": identity,
        "Ward": chance.choice(["north", "south", "west"]),
        "Name": f"{CANARY} {name or chance.getrandbits(64)}",
        "Count": 0,
        "Born": _FIRST + datetime.timedelta(hours=chance.randrange(500_000)),
        "Pad": bytes(chance.randrange(400)),
        "Visits": [
            {
                "Ward": chance.randrange(10),
                "Date": _FIRST + datetime.timedelta(minutes=chance.randrange(40_000_000)),
                "Note": f"{CANARY} note {chance.getrandbits(64)}",
            }
            for _ in range(chance.randrange(3))
        ],
    }
    if chance.random() < 0.05:
        document["Visits"] = None
    if chance.random() < 0.05:
        del document["Born"]
    return document


def identities(chance: random.Random, count: int) -> list[Any]:
    """`_id`s of each type that has an order, in no particular one; none equal to another by MongoDB's order."""
    found: list[Any] = [None, True, False]
    for number in range(count):
        one = chance.randrange(10**6) * 10_000 + number
        found += [
            one,
            Int64(2**40 + one),
            one + 0.25,
            Decimal128(f"{one}.5"),
            f"text {one}",
            ObjectId(),
            datetime.datetime(2000, 1, 1, tzinfo=datetime.timezone.utc)
            + datetime.timedelta(seconds=one % 10**8),
            one.to_bytes(6, "big"),
            Timestamp(one % 2**31, number),
            {"ward": one, "deep": {"number": number}},
        ][: count - len(found)]
        if len(found) >= count:
            break
    chance.shuffle(found)
    return found


def fill(collection: Any, chance: random.Random, count: int) -> None:
    """So many people, with numbers from 0 for `_id`s."""
    collection.insert_many(person(chance, number) for number in range(count))


Frozen = Mapping[bytes, bytes]
"""Documents by their `_id` as raw BSON."""


def frozen(collection: Any) -> dict[bytes, bytes]:
    """All documents of a collection, whole, as they are now."""
    found = {}
    for reply in collection.find_raw_batches({}):
        for raw in split(reply):
            found[bson.encode({"": RawBSONDocument(raw, _WHATEVER)["_id"]})] = raw
    return found


def digest(documents: Frozen) -> str:
    """One value for a collection, whatever the order of its documents."""
    lines = sorted(hashlib.sha256(identity + raw).digest() for identity, raw in documents.items())
    return hashlib.sha256(b"".join(lines)).hexdigest()


def masked(raw: bytes, rules: Rules = RULES) -> bytes:
    """The document masked once, by the oracle."""
    return expected(raw, rules)


@dataclass
class Outcome:
    """What became of a collection: how many documents of each kind that there must be none of.

    `leaked` lists where a canary was found. `wrong`: neither masked once, nor twice, nor unmasked; `strange`: not
    there before. `struck`: what was done to the run, and how often.
    """

    documents: int = 0
    lost: int = 0
    double: int = 0
    unmasked: int = 0
    wrong: int = 0
    strange: int = 0
    leaked: list[str] = field(default_factory=list)
    struck: Counter[str] = field(default_factory=Counter)

    @property
    def faults(self) -> dict[str, int]:
        """What there is of what must not be."""
        counts = {name: getattr(self, name) for name in ("lost", "double", "unmasked", "wrong", "strange")}
        counts["leaked"] = len(self.leaked)
        return {name: count for name, count in counts.items() if count}


def compare(before: Frozen, after: Frozen, left_out: Sequence[Any] = (), rules: Rules = RULES) -> Outcome:
    """Judge a collection by its copy; the documents with these `_id`s must be as they were."""
    kept = {bson.encode({"": one}) for one in left_out}
    outcome = Outcome(documents=len(before), strange=len(after.keys() - before.keys()))
    wanted: dict[bytes, bytes] = {}
    for identity, raw in before.items():
        now = after.get(identity)
        once = wanted[identity] = raw if identity in kept else masked(raw, rules)
        if now is None:
            outcome.lost += 1
        elif now != once:
            if now == raw:
                outcome.unmasked += 1
            elif now == masked(masked(raw, rules), rules):
                outcome.double += 1
            else:
                outcome.wrong += 1
    if not outcome.faults:
        assert digest(after) == digest(wanted)
    return outcome
