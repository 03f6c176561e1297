"""The manifest: what a run proves, signed, and the check whether it still says what was signed.

It states configuration, key, software, counts and verification results, and binds the report by SHA-256 over its
canonical form, part by part. Quarantine lists are left out of that: an `_id` may identify a person, and what a plain
digest of a few of them stands for could be guessed.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import jsonschema

from phimask.config.data import shipped_schema
from phimask.errors import UsageError
from phimask.observing.canonical import canonical, digest, parsed
from phimask.observing.report import without_ids
from phimask.observing.signing import PublicKey, SigningKey

_DOMAIN: Final = b"phimask manifest 1\n"
"""Begins what is signed, so that no signature for anything else can be taken for one of a manifest."""
_REPEATED: Final = (
    "run_id",
    "profile",
    "status",
    "started",
    "finished",
    "resumed",
    "config_digest",
    "key_fingerprint",
)
_MOST_SAID: Final = 10


def sign(report: Mapping[str, Any], key: SigningKey, now: datetime) -> dict[str, Any]:
    """The manifest of a report, as schemas/manifest.schema.json describes it. `now` is with a zone."""
    statement = {**_statement(report), "signed_at": now.isoformat(timespec="seconds")}
    return {
        "manifest": 1,
        "statement": statement,
        "signature": {
            "algorithm": "Ed25519",
            "key_fingerprint": key.public.fingerprint,
            "value": base64.b64encode(key.sign(_DOMAIN + canonical(statement))).decode("ascii"),
        },
    }


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check came to. `faults`: what is wrong, each with its place; none: all is as it was signed."""

    faults: tuple[str, ...]
    run: str
    signed_at: str


def read(text: str, name: str) -> dict[str, Any]:
    """A manifest from the text of the file `name`. Raises UsageError for what is none, or is cut short."""
    try:
        manifest: dict[str, Any] = parsed(text)
        jsonschema.validate(manifest, shipped_schema("manifest"))
        canonical(manifest)
        base64.b64decode(manifest["signature"]["value"], validate=True)
    except (ValueError, binascii.Error):
        raise UsageError(
            f"{name} is not JSON as a manifest is, or is cut short; give a file that --manifest wrote"
        ) from None
    except (jsonschema.ValidationError, RecursionError) as error:
        where = (
            f"{error.json_path} is not as its schema says"
            if isinstance(error, jsonschema.ValidationError)
            else "it is nested too deep"
        )
        raise UsageError(f"{name} is not a phimask manifest: {where}") from None
    return manifest


def check(manifest: Mapping[str, Any], key: PublicKey, report: Mapping[str, Any] | None) -> Checked:
    """Hold a manifest that was read against the key that is trusted and, where there is one, the run's report."""
    statement, signature = manifest["statement"], manifest["signature"]
    done = (statement["run_id"], statement["signed_at"])
    if signature["key_fingerprint"] != key.fingerprint:
        other = signature["key_fingerprint"]
        return Checked((f"it names the key {other}, and the public key given is {key.fingerprint}",), *done)
    genuine = key.verifies(base64.b64decode(signature["value"]), _DOMAIN + canonical(statement))
    if report is None:
        said = "its statement or its signature was changed; give the run's report as well, to be told what differs"
        return Checked(() if genuine else (said,), *done)
    if statement["run_id"] != report["run_id"]:
        belongs = f"it is of run {statement['run_id']}, and the report of run {report['run_id']}"
        return Checked((belongs,) if genuine else (belongs, "its signature does not fit either"), *done)
    try:
        mine = _statement(report)
    except ValueError as error:
        return Checked((f"the report has {error}, as no report of phimask has",), *done)
    differences = list(_differences("$", {name: statement.get(name) for name in mine}, mine))
    if genuine:
        return Checked(tuple(_shortened(differences)), *done)
    unknown = "$.signed_at or the signature: not as they were signed"
    return Checked(("its signature does not fit", *_shortened(differences or [unknown])), *done)


def _statement(report: Mapping[str, Any]) -> dict[str, Any]:
    shared = without_ids(report)
    return {
        **{name: shared[name] for name in _REPEATED},
        "software": {"phimask": shared["phimask_version"], **shared.get("software", {})},
        "undo": shared["undo"],
        "collections": [_collection(one) for one in shared["collections"]],
        "report": {
            "sha256": digest(shared),
            "parts": {place: digest(part) for place, part in _parts(shared)},
        },
    }


def _collection(one: Mapping[str, Any]) -> dict[str, Any]:
    rules = one["rules"]
    counted = all(rule["values"] is not None for rule in rules)
    sums = (
        {name: sum(rule[name] for rule in rules) for name in ("values", "masked", "redacted_on_error")}
        if counted
        else None
    )
    return {
        "namespace": one["namespace"],
        "target": one["target"],
        "documents": one["documents"],
        "values": sums,
        "verification": [
            {**result, "findings": sum(found["count"] for found in result["findings"])}
            for result in one["verification"]
        ],
    }


def _parts(report: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, part in report.items():
        if name != "collections":
            yield f"$.{name}", part
    for number, one in enumerate(report["collections"]):
        for name, part in one.items():
            yield f"$.collections[{number}].{name}", part


def _differences(place: str, stated: Any, found: Any) -> Iterator[str]:
    """Where the manifest's statement and what the report comes to part, down to single values; digests last."""
    if isinstance(stated, Mapping) and isinstance(found, Mapping):
        for name in dict.fromkeys([*stated, *found]):
            if place == "$.report":
                continue
            yield from _differences(f"{place}.{name}", stated.get(name), found.get(name))
        if place == "$.report":
            yield from _changed_parts(stated, found)
    elif isinstance(stated, list) and isinstance(found, list) and len(stated) == len(found):
        for number, (one, other) in enumerate(zip(stated, found, strict=True)):
            yield from _differences(f"{place}[{number}]", one, other)
    elif canonical(stated) != canonical(found):
        yield f"{place}: {_shown(stated)} in the manifest, {_shown(found)} by the report"


def _changed_parts(stated: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    parts, mine = stated.get("parts", {}), found["parts"]
    changed = [place for place in dict.fromkeys([*parts, *mine]) if parts.get(place) != mine.get(place)]
    yield from (f"the report's {place} is not what was signed" for place in changed)
    if stated.get("sha256") != found["sha256"] and not changed:
        yield "$.report.sha256: not that of the report"


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, Mapping):
        return "a mapping"
    return "nothing" if value is None else str(value)


def _shortened(said: Sequence[str]) -> list[str]:
    more = len(said) - _MOST_SAID
    return [*said[:_MOST_SAID], *([f"and {more} more"] if more > 0 else [])]
