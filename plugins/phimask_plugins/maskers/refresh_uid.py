"""refresh_uid: other unique identifiers of the same kind."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Final
from uuid import UUID

from bson.binary import OLD_UUID_SUBTYPE, UUID_SUBTYPE, Binary
from bson.objectid import ObjectId

from phimask import FAILED, Column, Masker
from phimask_plugins.maskers.keyed import KeyedHash

_ATTEMPTS: Final = 8
_UUID: Final = re.compile(
    r"(urn:uuid:|\{)?([0-9A-Fa-f]{8}(-?)[0-9A-Fa-f]{4}\3[0-9A-Fa-f]{4}\3[0-9A-Fa-f]{4}\3[0-9A-Fa-f]{12})(\})?",
    re.IGNORECASE | re.ASCII,
)
_OBJECT_ID: Final = re.compile(r"[0-9A-Fa-f]{24}")
_OID: Final = re.compile(r"(urn:oid:)?([012](?:\.(?:0|[1-9][0-9]*)){2,})")
_LONGEST_OID: Final = 64
_LONGEST: Final = 80
_UUID_ROOT: Final = "2.25."


class RefreshUid(Masker):
    """Puts another identifier of the same kind and form in place of a UUID, an ObjectId or an OID: under one key
    always the same, in every collection and field, whether it is kept as a string or as bytes, so that references
    still meet.

    UUID: as a string, plain or in braces, with or without hyphens, upper or lower case, or behind `urn:uuid:`; as
    binData of subtype 3 or 4. The new one is of version 4, whatever the old one told of a time or a machine (RFC
    9562, 5.4). ObjectId: as such, or as a string of 24 hex digits. OID: a DICOM UID or what follows `urn:oid:`, of
    three components or more and 64 characters or fewer; the new one is `2.25.` and a UUID as a number (DICOM PS3.5,
    B.2). UIDs that DICOM itself defines, of SOP classes for example, are replaced like any other: name the paths
    of instance UIDs only. Anything else fails.

    Source: RFC 9562, section 5.4 (UUIDs of version 4); DICOM PS3.5, annex B.2 (UIDs from UUIDs), and PS3.15,
    annex E, which asks for UIDs that are replaced consistently.
    """

    name = "refresh_uid"
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "keep_time": {
                "type": "boolean",
                "default": False,
                "description": "Keep an ObjectId's first four bytes, the second it was made in: a date that says "
                "something of when the document came about.",
            },
        },
    }
    types = frozenset({"string", "binData", "objectId"})
    uniqueness = "probable"
    needs_key = True

    def __init__(self, options: Mapping[str, Any], key: bytes | None = None) -> None:
        """`keep_time`, as the schema says."""
        super().__init__(options, key)
        self._kept_bytes = 4 if options.get("keep_time", False) else 0
        self._digest = KeyedHash(self.key).digest

    def mask(self, column: Column) -> list[Any]:
        """New identifiers."""
        return [self._refreshed(value) for value in column.values]

    def _refreshed(self, value: Any) -> Any:
        kind = type(value)
        if kind is str:
            return self._text(value) if value else value
        if kind is ObjectId:
            return ObjectId(self._object_id(value.binary))
        if kind is Binary and value.subtype in (UUID_SUBTYPE, OLD_UUID_SUBTYPE) and len(value) == 16:
            return Binary(self._uuid(bytes(value)).bytes, value.subtype)
        return FAILED

    def _text(self, text: str) -> Any:
        if len(text) > _LONGEST:
            return FAILED
        if (match := _UUID.fullmatch(text)) is not None:
            return _spelt(match, self._uuid(UUID(match[2]).bytes))
        if _OBJECT_ID.fullmatch(text):
            fresh = self._object_id(bytes.fromhex(text)).hex()
            return fresh.upper() if _is_upper(text) else fresh
        if (match := _OID.fullmatch(text)) is not None and len(match[2]) <= _LONGEST_OID:
            return (match[1] or "") + self._oid(match[2])
        return FAILED

    def _uuid(self, original: bytes) -> UUID:
        for attempt in range(_ATTEMPTS):
            fresh = UUID(bytes=self._digest(b"uuid\0%d\0" % attempt + original)[:16], version=4)
            if fresh.bytes != original:
                break
        return fresh

    def _object_id(self, original: bytes) -> bytes:
        kept = original[: self._kept_bytes]
        for attempt in range(_ATTEMPTS):
            fresh = kept + self._digest(b"objectId\0%d\0" % attempt + original)[len(kept) : 12]
            if fresh != original:
                break
        return fresh

    def _oid(self, original: str) -> str:
        for attempt in range(_ATTEMPTS):
            fresh = UUID(bytes=self._digest(b"oid\0%d\0" % attempt + original.encode())[:16], version=4)
            if (text := _UUID_ROOT + str(fresh.int)) != original:
                break
        return text


def _spelt(match: re.Match[str], fresh: UUID) -> Any:
    before, digits, hyphen, brace = match.groups()
    if (before == "{") != (brace is not None):
        return FAILED
    text = str(fresh) if hyphen else fresh.hex
    return (before or "") + (text.upper() if _is_upper(digits) else text) + (brace or "")


def _is_upper(digits: str) -> bool:
    return digits == digits.upper() and digits != digits.lower()
