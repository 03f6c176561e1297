"""fhir_id: FHIR's ids and the references to them, masked so that each reference still finds its resource."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from phimask import FAILED, Column, Masker
from phimask_plugins.maskers.fhir_types import RESOURCE_TYPES
from phimask_plugins.maskers.keyed import KeyedHash
from phimask_plugins.maskers.scalars import is_text

_UUID: Final = re.compile(r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")
_OID: Final = re.compile(r"[0-2](?:\.(?:0|[1-9][0-9]*)){2,}")
_URN: Final = re.compile(r"(urn:(?:uuid|oid):)(.+)", re.IGNORECASE | re.DOTALL)
_REFERENCE: Final = re.compile(
    r"(?P<base>https?://[^\s?#]+/)?"
    r"(?P<type>[A-Za-z]+)/(?P<id>[A-Za-z0-9.\-]{1,64})"
    r"(?P<version>/_history/[A-Za-z0-9.\-]{1,64})?"
    r"(?:#(?P<part>[A-Za-z0-9.\-]{1,64}))?"
)
_PLAIN_ID: Final = re.compile(r"[A-Za-z0-9.\-]{1,64}")
_LONGEST_REFERENCE: Final = 4096
"""Characters; browsers and servers take no longer addresses."""
_HEX_DIGITS: Final = 32
_HOST_DIGITS: Final = 12


class FhirId(Masker):
    """Puts a keyed digest in place of a FHIR id, wherever it stands: the same id becomes the same in a resource's
    `id`, in `Patient/123`, in `https://.../Patient/123`, in `urn:uuid:...` and in `#123`.

    A UUID becomes a UUID, an object identifier (DICOM's UIDs are some) one below 2.25, anything else 32 hex digits.
    With `form: id` the whole string is an id or a URN of one. With `form: reference` it is a reference as FHIR writes
    them: the resource type stays, as does a version's number behind `_history`; a server's address becomes one of
    example.org; a resource type alone and a lone `#` stay; anything else, a search such as `Patient?identifier=...`
    among it, fails. Give ids and references the same `domain`, or none, and links hold in all collections.

    Source: HL7 FHIR R4 (4.0.1), "References" (2.3.0.1, literal references; 2.3.0.2, contained resources) and the
    primitive type `id`; UUIDs of version 8, RFC 9562, section 5.8; ITU-T X.667 for identifiers below 2.25; names of
    servers by RFC 2606, section 3.
    """

    name = "fhir_id"
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "form": {
                "enum": ["id", "reference"],
                "default": "id",
                "description": "What the strings are: ids, or references to them.",
            },
        },
    }
    types = frozenset({"string"})
    uniqueness = "probable"
    changes = "maybe"
    needs_key = True

    def __init__(self, options: Mapping[str, Any], key: bytes | None = None) -> None:
        """`form`, as the schema says."""
        super().__init__(options, key)
        self._of = self._reference if options.get("form", "id") == "reference" else self._whole
        self._digest = KeyedHash(self.key).digest

    def mask(self, column: Column) -> list[Any]:
        """Masked ids or references."""
        return [self._masked(value) for value in column.values]

    def _masked(self, value: Any) -> Any:
        if type(value) is not str:
            return FAILED
        if not value:
            return value
        return self._of(value) if is_text(value) else FAILED

    def _whole(self, text: str) -> str:
        urn = _URN.fullmatch(text)
        return self._id(text) if urn is None else urn[1] + self._id(urn[2])

    def _reference(self, text: str) -> Any:
        if text == "#" or text in RESOURCE_TYPES:
            return text
        if _URN.fullmatch(text) is not None:
            return self._whole(text)
        if text[0] == "#":
            return f"#{self._id(text[1:])}"
        if _PLAIN_ID.fullmatch(text) is not None:
            return self._id(text)
        found = _REFERENCE.fullmatch(text) if len(text) <= _LONGEST_REFERENCE else None
        if found is None or found["type"] not in RESOURCE_TYPES:
            return FAILED
        base, part = found["base"], found["part"]
        server = (
            "" if base is None else f"https://fhir-{self._hex('server', base, _HOST_DIGITS)}.example.org/"
        )
        masked = f"{server}{found['type']}/{self._id(found['id'])}{found['version'] or ''}"
        return masked if part is None else f"{masked}#{self._id(part)}"

    def _id(self, text: str) -> str:
        if _UUID.fullmatch(text) is not None:
            digits = self._hex("uuid", text.lower(), _HEX_DIGITS)
            return str(
                uuid.UUID(f"{digits[:12]}8{digits[13:16]}{8 + int(digits[16], 16) % 4:x}{digits[17:]}")
            )
        if _OID.fullmatch(text) is not None:
            return f"2.25.{int(self._hex('oid', text, _HEX_DIGITS), 16)}"
        return self._hex("id", text, _HEX_DIGITS)

    def _hex(self, label: str, text: str, digits: int) -> str:
        return self._digest(f"{label}\0{text}".encode()).hex()[:digits]
