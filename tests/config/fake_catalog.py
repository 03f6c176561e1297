"""A stand-in for the registry: the built-in components' names and options, as configuration sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

NONE: Mapping[str, Any] = {"type": "object", "additionalProperties": False}


def options(required: Sequence[str] = (), **properties: Any) -> Mapping[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(required),
        "properties": properties,
    }


def whole(default: int, least: int = 1) -> Mapping[str, Any]:
    return {"type": "integer", "minimum": least, "default": default}


def size(default: str | None = None) -> Mapping[str, Any]:
    return {"format": "size", "minimum": 1, **({} if default is None else {"default": default})}


MORE_KINDS = ("state", "postcode", "ssn", "npi", "account", "username", "organization", "url", "ip")

SCHEMAS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "partitioner": {
        "single": NONE,
        "sample": options(target_size=size("128MB"), samples_per_partition=whole(10)),
        "paginate": options(documents=whole(100_000)),
    },
    "batch_sizer": {
        "fixed": options(documents=whole(1000), bytes=size("16MB")),
        "adaptive": options(
            target={"format": "duration", "exclusiveMinimum": 0, "default": "4s"},
            longest={"format": "duration", "exclusiveMinimum": 0, "default": "8s"},
            documents=whole(2000),
            first_documents=whole(50),
            bytes=size("16MB"),
            smoothing={"type": "number", "exclusiveMinimum": 0, "maximum": 1, "default": 0.3},
        ),
        "predictive": options(
            target={"format": "duration", "exclusiveMinimum": 0, "default": "4s"},
            longest={"format": "duration", "exclusiveMinimum": 0, "default": "8s"},
            documents=whole(2000),
            first_documents=whole(50),
            bytes=size("16MB"),
            smoothing={"type": "number", "exclusiveMinimum": 0, "maximum": 1, "default": 0.3},
            memory={"anyOf": [{"type": "null"}, size()], "default": None},
            forgetting={"type": "number", "default": 0.85},
        ),
    },
    "memory_governor": {
        "rss": options(["soft", "hard"], soft=size(), hard=size()),
        "predictive": options(ceiling=size("1GB")),
    },
    "executor": {
        "inline": NONE,
        "local": options(
            workers={"anyOf": [{"enum": ["auto"]}, {"type": "integer", "minimum": 1}], "default": "auto"},
            autoscale={"type": ["object", "null"], "default": None},
            max=whole(16),
            memory=size("1GB"),
        ),
    },
    "validator": {
        **dict.fromkeys(("count", "no_original", "structure", "untouched", "indexes"), NONE),
        "residual": options(min_confidence={"type": "number", "default": 0.5}),
        "leak": options(filter=size("32MB")),
        "referential": options(most=whole(500_000)),
    },
    "observer": {
        "log": NONE,
        "progress": NONE,
        "pager": options(
            ["token"],
            token={"type": "string", "secret": True, "minLength": 8},
            timeout={"type": ["string", "number"], "format": "duration", "default": "5s", "secret": True},
        ),
    },
    "masker": {
        **dict.fromkeys(("age_cap", "keep", "nullify", "redact", "remove", "zip3"), NONE),
        "chain": {"type": "object"},
        "date_shift": options(max_days={"type": "integer", "minimum": 1, "maximum": 3650, "default": 365}),
        "date_truncate": options(to={"enum": ["year", "month", "day"], "default": "year"}),
        "fake": options(
            ["kind"],
            kind={
                "enum": [
                    "first_name",
                    "last_name",
                    "full_name",
                    "street",
                    "city",
                    "phone",
                    "email",
                    "mrn",
                    *MORE_KINDS,
                ]
            },
            cache=size("16MB"),
        ),
        "hash": options(length=whole(32, 8)),
        "partial": options(first=whole(0, 0), last=whole(4, 0)),
        "replace": options(["value"], value={"type": ["string", "number", "boolean"]}),
    },
    "detector": {},
}


class FakeCatalog:
    """Answers as the registry does."""

    def names(self, kind: str) -> Sequence[str]:
        return sorted(SCHEMAS[kind])

    def options_schema(self, kind: str, name: str) -> Mapping[str, Any]:
        return SCHEMAS[kind][name]

    def needs_subject(self, name: str) -> bool:
        return name == "date_shift"
