"""What there is to find between a document before and after masking, in words."""

from __future__ import annotations

from typing import Final, Literal

Aspect = Literal["structure", "originals", "untouched"]
Path = tuple[bytes, ...]

ADDED: Final = "a field was added"
ARRAY_LENGTH: Final = "the length of an array changed"
BYTES_CHANGED: Final = "bytes that no rule masks changed"
DOCUMENT_ADDED: Final = "a document is there that was not there before"
DOCUMENT_LOST: Final = "a document is lost"
INDICES_CHANGED: Final = "the index keys of an array changed"
LOST: Final = "a field is lost"
MALFORMED: Final = "the document is no well-formed BSON"
NOT_REDACTED: Final = "a field that does not hold what its rule says was not redacted"
NOT_REMOVED: Final = "a field that was to be removed is still there"
NO_LONGER: Final = "the field no longer holds what its rule says"
ORDER_CHANGED: Final = "the order of fields changed"
ORIGINAL: Final = "a masked path still holds its original"
TOO_DEEP: Final = "the document is nested too deeply to be checked"
TYPE_CHANGED: Final = "the type of a value in a decoded field changed"
