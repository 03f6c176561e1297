"""A collection's validator, tried on masked samples: the server itself judges them, and nothing is written.

The server is asked for sampled documents by `_id`, puts masked fields in their places within the query's pipeline, and
says which of the results the validator would take. Values that no rule names never leave it for that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from phimask.errors import MaskingError
from phimask.masking.automaton import nameable
from phimask.masking.core import MaskingCore
from phimask.masking.outcomes import Masked
from phimask.planning.conditions import Conditions
from phimask.planning.hazards import Hazard, hazard
from phimask.planning.namespace import Namespace
from phimask.plugins.values import DocumentId
from phimask.rawbson import MalformedBsonError, elements
from phimask.store.raw import by_id, by_ids, document, identity, identity_of

SAMPLES: Final = 50
_LARGEST: Final = 1_000_000
"""Bytes of a sample that is worth the sending."""

_Fields = dict[str, tuple[int, bytes]]


def of_validator(
    source: Namespace,
    owner: Namespace,
    options: Mapping[str, Any],
    core: MaskingCore | None,
    conditions: Conditions,
    samples: Sequence[bytes],
    *,
    swapped: bool,
) -> Iterator[Hazard]:
    """What becomes of masked documents under the validator in `options`, which are of `owner`: the source, or what they
    are copied into; with `swapped` they are put into a shadow of it. `core` None: no masker may be tried.

    Raises PyMongo's errors.
    """
    validator = options.get("validator")
    if not validator or options.get("validationAction", "error") == "warn":
        return
    in_place = owner == source
    tried = _Trial(source, validator, options.get("collation"))
    refused = None if core is None else tried.refused(core, conditions, samples[:SAMPLES])
    count = tried.documents
    becomes = (
        "the shadow of such is not swapped in" if swapped else "such documents are quarantined, unmasked"
    )
    general = " has a validator: documents that it refuses after masking are quarantined, unmasked"
    if refused is None or not count:
        yield hazard("validator", owner, f"{general}; it could not be tried on masked samples")
        return
    before, after = refused
    newly = after - before if in_place else after
    # Under moderate, documents that are refused already may be changed as one likes.
    already = (
        after & before
        if in_place and not swapped and options.get("validationLevel", "strict") == "strict"
        else set()
    )
    if newly:
        yield hazard(
            "validator-refuses",
            owner,
            f": its validator refuses {len(newly)} of {count} masked samples, and {becomes}; "
            "change the masker or the validator",
        )
    if already:
        yield hazard(
            "validator-refused-already",
            owner,
            f": its validator refuses {len(already)} of {count} sampled documents as they are, and as they would be "
            "masked: they cannot be written back; mend them first, or set validationLevel to moderate",
        )
    if not newly and not already:
        yield hazard("validator", owner, f"{general}; it takes all {count} masked samples that were tried")


class _Trial:
    def __init__(
        self, source: Namespace, validator: Mapping[str, Any], collation: Mapping[str, Any] | None
    ) -> None:
        self._collection = source.raw()
        self._validator = validator
        self._collation = {"locale": "simple"} if collation is None else collation
        self.documents = 0

    def refused(
        self, core: MaskingCore, conditions: Conditions, samples: Sequence[bytes]
    ) -> tuple[set[DocumentId], set[DocumentId]] | None:
        """The documents that are refused as they are, and those that are refused masked; None: nothing can be tried."""
        try:
            without = conditions.without(self._collection, [identity(raw) for raw in samples])
            outcomes = core.mask(samples, "whole", without).outcomes
        except (MaskingError, MalformedBsonError):
            return None
        changes: dict[DocumentId, list[dict[str, Any]]] = {}
        for raw, outcome in zip(samples, outcomes, strict=True):
            stages = _stages(raw, outcome.bson if isinstance(outcome, Masked) else raw)
            if stages is not None:
                changes[identity(raw)] = stages
        there = self._passing([{"$match": by_ids(changes)}], judged=False)
        passing = self._passing([{"$match": by_ids(changes)}], judged=True)
        masked = {
            found
            for found, stages in changes.items()
            if found in there and self._passing([{"$match": by_id(found)}, *stages], judged=True)
        }
        there &= self._passing([{"$match": by_ids(changes)}], judged=False)  # others may delete meanwhile
        self.documents = len(there)
        return there - passing, there - masked

    def _passing(self, stages: list[dict[str, Any]], *, judged: bool) -> set[DocumentId]:
        pipeline = [*stages, *([{"$match": self._validator}] if judged else []), {"$project": {"_id": 1}}]
        found = self._collection.aggregate(pipeline, collation=self._collation)
        return {identity_of(one) for one in found}


def _stages(raw: bytes, masked: bytes) -> list[dict[str, Any]] | None:
    """What turns the document into the masked one; None where that cannot be said, or is large."""
    before, after = _fields(raw), _fields(masked)
    if before is None or after is None or len(masked) > _LARGEST:
        return None
    changed = {key: value for key, value in after.items() if before.get(key) != value}
    gone = [key for key in before if key not in after]
    if not all(map(nameable, (*changed, *gone))):
        return None
    literals = {key: document(("$literal", kind, value)) for key, (kind, value) in changed.items()}
    return [*([{"$set": literals}] if literals else []), *([{"$unset": gone}] if gone else [])]


def _fields(raw: bytes) -> _Fields | None:
    """The fields at the top; None where a key is there twice, or is no text."""
    found: _Fields = {}
    try:
        for one in elements(raw):
            key = one.key.decode()
            if key in found:
                return None
            found[key] = one.kind, raw[one.value : one.end]
    except (MalformedBsonError, UnicodeDecodeError):
        return None
    return found
