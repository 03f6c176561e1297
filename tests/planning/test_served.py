"""What MongoDB computes by itself, held to the masking core on a real server."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

import bson
import pytest
from bson import Binary, Code, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo.errors import OperationFailure

from effort import examples
from phimask.config.components import complete_options
from phimask.masking.columns import BoundRule
from phimask.masking.core import MaskingCore
from phimask.masking.outcomes import Masked
from phimask.planning.served import expressions, served_update
from phimask.plugins.registry import Registry
from phimask.rawbson import wrap
from phimask.store.connect import raw_collection
from phimask.store.raw import DocumentId, Unopened, split
from phimask.store.writing import update_range

RULES = (
    ("text", "redact", {}),
    ("own", "replace", {"value": 7}),
    ("nothing", "nullify", {}),
    ("gone", "remove", {}),
    ("stays", "keep", {}),
    ("sub.text", "redact", {"text": "$$ROOT"}),
    ("sub.own", "replace", {"value": None}),
    ("sub.zero", "replace", {"value": 0.0}),
    ("sub.gone", "remove", {}),
    ("sub.sub.start", "generalize", {"prefix": 2}),
    ("sub.sub.age", "age_cap", {}),
    ("sub.sub.when", "date_truncate", {"to": "month"}),
    ("sub.sub.nothing", "nullify", {}),
)
KEYS = ("text", "own", "nothing", "gone", "stays", "sub", "start", "age", "when", "other")

SCALARS: tuple[Any, ...] = (
    None, "", "Zoë 王小明", "x" * 40, 0, -5, 95, Int64(7), Int64(2**60), 0.0, -0.0, 90.5, float("nan"), float("inf"),
    Decimal128("90.10"), Decimal128("NaN"), True, False, datetime.datetime(1987, 5, 17, 14, 3),  # noqa: DTZ001
    datetime.datetime(1, 1, 1), DatetimeMS(-(2**62)), DatetimeMS(2**60), ObjectId(b"o" * 12), Binary(b"abc"),  # noqa: DTZ001
    Binary(b"u" * 16, 4), Timestamp(5, 6), Timestamp(0, 0), Regex("a.*", "i"), Code("f()"), MinKey(), MaxKey(),
)  # fmt: skip

# Beside an -0.0 the server writes no 0.0 over it: to it they are the same number.
values = st.recursive(
    st.sampled_from([one for one in SCALARS if repr(one) != "-0.0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=14,
)
documents = st.dictionaries(st.sampled_from(KEYS), values, max_size=7)
USUAL = {
    "text": "Ann",
    "own": Int64(3),
    "gone": [1, {"a": 2}],
    "other": Timestamp(0, 0),
    "sub": [
        {
            "text": "Lee",
            "own": 5,
            "gone": {"a": 1},
            "sub": {"start": "Springfield", "age": 93, "nothing": [1, None]},
        },
        {"text": None, "other": "stays", "sub": [{"when": datetime.datetime(1987, 5, 17, 14, 3)}, 5, None]},  # noqa: DTZ001
        "no document",
        None,
    ],
    "nothing": {"a": 1},
    "stays": "as it is",
}


def bound(registry: Registry, rules: Sequence[tuple[str, str, dict[str, Any]]] = RULES) -> list[BoundRule]:
    return [
        BoundRule(
            index,
            path,
            tuple(path.split(".")),
            registry.create("masker", name, complete_options("masker", name, options, registry)),
        )
        for index, (path, name, options) in enumerate(rules)
    ]


class Server:
    """One document at a time, masked by the server."""

    def __init__(self, client: Any, database: str) -> None:
        self.raw = raw_collection(client, database, "served")

    def mask(self, document: bytes, pipeline: list[dict[str, Any]]) -> tuple[bytes, bool]:
        """The document afterwards, and whether the server changed it; raises OperationFailure."""
        self.put(document)
        place = DocumentId(0x10, b"\1\0\0\0")
        matched, changed = update_range(self.raw, place, place, None, pipeline)
        assert matched == 1
        return self.now(), bool(changed)

    def put(self, document: bytes) -> None:
        self.raw.delete_many({})
        self.raw.insert_one(Unopened(document))
        # A server that finds an empty timestamp in a new document puts its clock into it; not so an update.
        for element in bson.decode(
            document, bson.DEFAULT_CODEC_OPTIONS.with_options(datetime_conversion=2)
        ).items():
            if element[1] == Timestamp(0, 0):
                self.raw.update_one({"_id": 1}, {"$set": {element[0]: Timestamp(0, 0)}})

    def now(self) -> bytes:
        (reply,) = self.raw.find_raw_batches({})
        (found,) = split(reply)
        return found


@pytest.fixture(scope="module")
def server(client: Any) -> Any:
    name = "test_served_updates"
    yield Server(client, name)
    client.drop_database(name)


def expected(rules: list[BoundRule], document: bytes) -> bytes:
    (outcome,) = MaskingCore(rules, None, "redact").mask([document], "whole").outcomes
    return outcome.bson if isinstance(outcome, Masked) else document


def encoded(document: dict[str, Any]) -> bytes:
    return bson.encode({"_id": 1, **document})


def test_a_usual_document_is_masked_as_by_the_core(server: Server, registry: Registry) -> None:
    rules = bound(registry)
    document = encoded(USUAL)
    now, changed = server.mask(document, served_update(rules))
    assert bson.decode(now) == bson.decode(expected(rules, document))
    assert now == expected(rules, document)
    assert changed
    assert server.mask(now, served_update(rules)) == (now, False)


@settings(max_examples=examples(150), deadline=None, suppress_health_check=[*HealthCheck])
@given(document=documents)
def test_any_document_is_masked_as_by_the_core_or_not_at_all(
    document: dict[str, Any], server: Server, registry: Registry
) -> None:
    rules = bound(registry)
    raw = encoded(document)
    try:
        now, changed = server.mask(raw, served_update(rules))
    except OperationFailure:
        assert server.now() == raw
    else:
        assert now == expected(rules, raw)
        assert changed == (now != raw)


@pytest.mark.parametrize(
    "value", SCALARS, ids=[f"{type(one).__name__}-{number}" for number, one in enumerate(SCALARS)]
)
@pytest.mark.parametrize(
    "path", ["text", "own", "nothing", "gone", "sub.text", "sub.gone", "sub.own", "sub.zero"]
)
def test_each_type_at_each_masker(value: Any, path: str, server: Server, registry: Registry) -> None:
    rules = bound(registry)
    key = path.removeprefix("sub.")
    raw = encoded({"sub": {key: value, "z": 1}} if path != key else {key: value, "z": 1})
    try:
        now, _ = server.mask(raw, served_update(rules))
    except OperationFailure:
        assert server.now() == raw
        assert isinstance(value, MinKey | MaxKey | Binary | Code)
    else:
        assert now == expected(rules, raw)


def field(kind: int, key: str, value: bytes) -> bytes:
    return bytes((kind,)) + key.encode() + b"\0" + value


ID = field(0x10, "_id", b"\1\0\0\0")
ONE = field(0x10, "own", b"\1\0\0\0")
TWO = field(0x10, "own", b"\2\0\0\0")
OTHER = field(0x10, "z", b"\3\0\0\0")


@pytest.mark.parametrize(
    "raw",
    [
        wrap(ID + ONE + OTHER + TWO),
        wrap(ID + ONE + OTHER + OTHER),
        wrap(ID + ONE + ONE),
        wrap(ID + field(3, "sub", wrap(ONE)) + field(3, "sub", wrap(ONE))),
        wrap(ID + field(3, "sub", wrap(ONE + ONE))),
        wrap(ID + field(3, "sub", wrap(ONE + OTHER + TWO))),
        wrap(ID + field(3, "sub", wrap(ONE + OTHER + OTHER))),
        wrap(ID + field(3, "sub", wrap(ONE)) + field(3, "sub", wrap(TWO))),
        wrap(ID + field(4, "sub", wrap(field(3, "0", wrap(ONE)) + field(3, "1", wrap(TWO + TWO))))),
        wrap(ID + field(3, "sub", wrap(field(3, "sub", wrap(OTHER + OTHER))))),
    ],
)  # fmt: skip
def test_a_key_that_stands_twice_is_left_to_the_core(raw: bytes, server: Server, registry: Registry) -> None:
    server.put(raw)
    place = DocumentId(0x10, b"\1\0\0\0")
    with pytest.raises(OperationFailure):
        update_range(server.raw, place, place, None, served_update(bound(registry)))
    assert server.now() == raw


def test_keys_that_stand_twice_where_nothing_is_masked_stay(server: Server, registry: Registry) -> None:
    rules = bound(registry)
    twice = field(3, "other", wrap(ONE + ONE + TWO))
    inner = field(3, "sub", wrap(field(0x10, "age", b"\x60\0\0\0")))
    raw = wrap(
        ID
        + twice
        + field(3, "sub", wrap(twice + ONE + field(4, "a", wrap(field(3, "0", wrap(ONE + TWO)))) + inner))
    )
    now, changed = server.mask(raw, served_update(rules))
    assert changed
    assert now == expected(rules, raw)
    assert now.count(twice) == 2


def pairs(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[list[tuple[str, Any]]]:
    return st.lists(st.tuples(st.sampled_from(("text", "own", "sub", "age", "other")), inner), max_size=4)


PAIRS = st.recursive(
    st.sampled_from((None, "", "Zoë", 5, Int64(7), 95, 90.5, True)),
    lambda inner: pairs(inner).map(tuple) | st.lists(inner, max_size=3),
    max_leaves=12,
)


def encode_pairs(document: Sequence[tuple[str, Any]]) -> bytes:
    """As it stands, keys twice or not."""
    return wrap(b"".join(encode_pair(key, value) for key, value in document))


def encode_pair(key: str, value: Any) -> bytes:
    if isinstance(value, tuple):
        return field(3, key, encode_pairs(value))
    if isinstance(value, list):
        return field(4, key, encode_pairs([(str(at), one) for at, one in enumerate(value)]))
    return bson.encode({key: value})[4:-1]


@settings(max_examples=examples(50), deadline=None, suppress_health_check=[*HealthCheck])
@given(document=pairs(PAIRS))
def test_whatever_keys_stand_twice_a_document_is_masked_as_by_the_core_or_not_at_all(
    document: list[tuple[str, Any]], server: Server, registry: Registry
) -> None:
    rules = bound(registry)
    raw = encode_pairs([("_id", 1), *document])
    try:
        now, _ = server.mask(raw, served_update(rules))
    except OperationFailure:
        assert server.now() == raw
    else:
        assert now == expected(rules, raw)


def test_a_masker_that_is_not_idempotent_or_has_a_secret_is_never_computed_by_the_server(
    registry: Registry,
) -> None:
    (rule,) = bound(registry, [("text", "redact", {})])
    assert expressions(rule.masker)
    for name, value in (
        ("idempotent", False),
        ("needs_key", True),
        ("needs_subject", True),
        ("writes", True),
    ):
        masker = type("Other", (type(rule.masker),), {name: value})(rule.masker.options)
        assert expressions(masker) == {}
