"""Raw BSON at the store's edge: splitting replies, and `_id`s that go back to the server byte for byte."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import bson
from bson import json_util
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.raw_bson import RawBSONDocument

from phimask.plugins.values import DocumentId
from phimask.rawbson import ARRAY, LENGTH, MalformedBsonError, elements, wrap

_LOSSLESS: Final[CodecOptions[dict[str, Any]]] = CodecOptions(
    datetime_conversion=DatetimeConversion.DATETIME_AUTO
)


_OBJECTID: Final = 0x07
_OBJECTID_FIRST: Final = b"\x07_id\0"
_OBJECTID_START: Final = 9
_OBJECTID_END: Final = 21


class Unopened(RawBSONDocument):
    """Bytes that PyMongo sends as they are.

    It asks of a filter or a replacement whether it is empty, and a RawBSONDocument decodes itself to answer
    that, which fails for values that PyMongo cannot decode.
    """

    __slots__ = ()

    def __bool__(self) -> bool:
        return True


def split(reply: bytes) -> Iterator[bytes]:
    """The documents of a raw batch, which stand one behind the other."""
    at = 0
    while at < len(reply):
        end = at + LENGTH.unpack_from(reply, at)[0]
        yield reply[at:end]
        at = end


def identity(raw: bytes) -> DocumentId:
    """The document's `_id`; a stored document has it first. Raises MalformedBsonError where there is none."""
    if raw.startswith(_OBJECTID_FIRST, 4) and len(raw) > _OBJECTID_END:
        return DocumentId(_OBJECTID, raw[_OBJECTID_START:_OBJECTID_END])
    for element in elements(raw):
        if element.key == b"_id":
            return DocumentId(element.kind, raw[element.value : element.end])
    raise MalformedBsonError


def identity_of(found: Any) -> DocumentId:
    """The same of a RawBSONDocument. PyMongo gives views instead of bytes where it has 4 kB or more."""
    return identity(bytes(found.raw))


def document(*fields: tuple[str, int, bytes]) -> RawBSONDocument:
    """A document of (key, BSON type, value bytes) fields."""
    body = b"".join(bytes((kind,)) + key.encode() + b"\0" + value for key, kind, value in fields)
    return Unopened(wrap(body))


def by_id(found: DocumentId) -> RawBSONDocument:
    """The filter for one document, in an update or a `$match`; PyMongo decodes that of a `find`."""
    return document(("_id", found.bson_type, found.value))


def by_ids(found: Iterable[DocumentId]) -> dict[str, Any]:
    """The filter for several documents."""
    listed = document(*((str(index), one.bson_type, one.value) for index, one in enumerate(found)))
    return {"_id": document(("$in", ARRAY, bytes(listed.raw)))}


def literal(found: DocumentId) -> RawBSONDocument:
    """The `_id` as a constant of an aggregation expression."""
    return document(("$literal", found.bson_type, found.value))


def within(
    after: DocumentId | None, upto: DocumentId | None, query: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The filter for `after` < `_id` <= `upto` over all BSON types, and `query`.

    `$expr` compares across types in index order; a plain `$gt` would skip every `_id` of another type.
    """
    if after is not None and upto is not None and _alone(after, upto):
        plain: dict[str, Any] = {"_id": _between("$gt", after, upto)}
        return {"$and": [plain, query]} if query else plain
    bounds: list[dict[str, Any]] = []
    if after is not None:
        bounds.append({"$gt": ["$_id", literal(after)]})
    if upto is not None:
        bounds.append({"$lte": ["$_id", literal(upto)]})
    parts: list[Mapping[str, Any]] = [{"$expr": {"$and": bounds}}] if bounds else []
    if query:
        parts.append(query)
    return {"$and": parts} if parts else {}


def from_to(first: DocumentId, upto: DocumentId, query: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """As `within`, the first document included."""
    if _alone(first, upto):
        plain = {"_id": _between("$gte", first, upto)}
        return {"$and": [plain, query]} if query else plain
    bounds = {"$and": [{"$gte": ["$_id", literal(first)]}, {"$lte": ["$_id", literal(upto)]}]}
    return {"$and": [{"$expr": bounds}, query]} if query else {"$expr": bounds}


def _alone(one: DocumentId, other: DocumentId) -> bool:
    """Whether no other type lies between them, so that a plain range is exact. It costs the server half a microsecond
    a document less, and one and a half where the index alone answers."""
    return one.bson_type == other.bson_type == _OBJECTID


def _between(operator: str, one: DocumentId, upto: DocumentId) -> RawBSONDocument:
    return document((operator, one.bson_type, one.value), ("$lte", upto.bson_type, upto.value))


def extended_json(found: DocumentId) -> str:
    """The `_id` as canonical Extended JSON, for the quarantine list; in hex where PyMongo loses some of it."""
    raw = bytes(document(("_id", found.bson_type, found.value)).raw)
    try:
        value = bson.decode(raw, _LOSSLESS)
        if bson.encode(value) == raw:
            return json_util.dumps(value["_id"], json_options=json_util.CANONICAL_JSON_OPTIONS)
    except Exception:  # noqa: BLE001, S110  (PyMongo raises several)
        pass
    return json_util.dumps({"$bson": raw.hex()})
