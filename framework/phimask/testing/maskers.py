"""The conformance check of maskers."""

from __future__ import annotations

import datetime
import random
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from bson.int64 import Int64

from phimask.masking.bson_types import PYTHON_ALIASES
from phimask.plugins.interfaces import Masker
from phimask.plugins.values import FAILED, REMOVE
from phimask.testing import samples
from phimask.testing.making import check_class, require
from phimask.testing.samples import encodable, fingerprint
from phimask.testing.trial import OTHER_KEY, Trial

_MANY: Final = 4000


def check_masker(
    cls: type[Masker], options: Mapping[str, Any] | None = None, examples: Sequence[Any] | None = None
) -> None:
    """Check that a masker keeps what it promises and what every masker has to.

    `options` are written as in a rule; `examples` are values that it must be able to mask, for a masker
    whose values have a shape of their own. Tried are usual and odd values of each type it takes.

    Raises AssertionError, which says what was broken and with which (made-up) value. A masker that never
    comes back from a value shows itself as a check that never ends.
    """
    check_class("masker", cls)
    trial = Trial(cls, options)
    require(bool(trial.masker.types), cls, "it takes no BSON type; set `types`")
    usual = trial.of_types(samples.USUAL) + list(examples or ())
    odd = [value for value in trial.of_types(samples.ODD) if encodable(value)]
    values = usual + odd
    random.Random(0).shuffle(values)  # noqa: S311  (a fixed shuffle: an engine's columns mix types and shapes)
    masked = trial.mask(values)
    _check_some_are_masked(trial, usual, list(examples or ()))
    _check_results(trial, values, masked)
    _check_determinism(trial, values, masked)
    if trial.masker.idempotent:
        _check_idempotence(trial, masked)
    if trial.masker.needs_key:
        _check_key(trial, values, masked)
    _check_uniqueness(trial)
    _check_what_bson_cannot_hold(trial)
    if trial.masker.removes or trial.masker.produces == frozenset({"null"}):
        require(
            trial.mask([None])[0] in (None, REMOVE),
            cls,
            "it is given None for what nobody can decode, and fails",
        )
    require(trial.mask([]) == [], cls, "an empty column does not give an empty result")
    _check_canaries(trial)


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _unchanged(value: Any, result: Any) -> bool:
    """By the engine's rule, which takes 0.0 and -0.0 for one, and by bytes, which take NaN for itself."""
    return (type(result) is type(value) and bool(result == value)) or fingerprint(result) == fingerprint(
        value
    )


def _is_mask(result: Any) -> bool:
    return result is not FAILED and result is not REMOVE


def _check_some_are_masked(trial: Trial, usual: Sequence[Any], examples: Sequence[Any]) -> None:
    for value in examples:
        alias = PYTHON_ALIASES.get(type(value))
        require(
            alias in trial.masker.types,
            trial.cls,
            f"the example {_show(value)} is no value of its types: {alias}",
        )
        require(trial.mask([value]) != [FAILED], trial.cls, f"it cannot mask the example {_show(value)}")
    require(
        any(result is not FAILED for result in trial.mask(usual)),
        trial.cls,
        "it masked none of the values tried; give `examples` of those that it takes",
    )


def _alias(result: Any, original: Any) -> str | None:
    """The BSON type that a result is stored as, by the engine's rules for the width of integers."""
    if type(result) is int and (type(original) is Int64 or not -(2**31) <= result < 2**31):
        return "long"
    return PYTHON_ALIASES.get(type(result))


def _check_results(trial: Trial, values: Sequence[Any], masked: Sequence[Any]) -> None:
    masker, cls = trial.masker, trial.cls
    makers: defaultdict[bytes, set[bytes]] = defaultdict(set)
    for value, result in zip(values, masked, strict=True):
        makers[fingerprint(result)].add(fingerprint(value))
    for value, result in zip(values, masked, strict=True):
        if result is FAILED:
            require(
                masker.changes != "never", cls, f"it promises to change nothing, and fails on {_show(value)}"
            )
            continue
        if result is REMOVE:
            require(masker.removes, cls, f"it removes {_show(value)}; set removes = True")
            continue
        require(
            encodable(result), cls, f"the mask of {_show(value)} cannot be stored in BSON: {_show(result)}"
        )
        allowed = masker.produces if masker.produces is not None else {_alias(value, value)}
        alias = _alias(result, value)
        require(
            alias in allowed,
            cls,
            f"it turns {_show(value)} into a {alias or type(result).__name__}; "
            f"keep to {', '.join(sorted(map(str, allowed)))}, "
            "or name the type in `produces`",
        )
        same = _unchanged(value, result)
        if masker.changes == "never":
            require(
                fingerprint(result) == fingerprint(value),
                cls,
                f"it promises to change nothing, and changes {_show(value)} into {_show(result)}",
            )
        elif masker.changes == "always" and same and value not in ("", b""):
            # What an idempotent masker makes of one value it leaves alone as another: a constant, say.
            constant = masker.idempotent and len(makers[fingerprint(result)]) > 1
            require(
                constant,
                cls,
                f"it promises to change every value, and lets {_show(value)} through; answer FAILED instead",
            )


def _check_determinism(trial: Trial, values: Sequence[Any], masked: Sequence[Any]) -> None:
    def same(again: Sequence[Any], broken: str) -> None:
        for value, first, second in zip(values, masked, again, strict=True):
            require(fingerprint(first) == fingerprint(second), trial.cls, f"{broken}: {_show(value)}")

    same(trial.mask(values), "it masks a value differently when asked again")
    cached = trial.masker.cached_bytes()
    require(
        type(cached) is int and cached >= 0, trial.cls, f"cached_bytes() gives {cached!r}; give whole bytes"
    )
    trial.masker.drop_cache()
    same(trial.mask(values), "it masks a value differently once its cache was dropped")
    same(trial.mask(values, trial.another()), "a new instance with the same key masks a value differently")
    order = list(range(len(values)))
    random.Random(1).shuffle(order)  # noqa: S311  (a fixed shuffle)
    shuffled = trial.mask([values[position] for position in order])
    back = dict(zip(order, shuffled, strict=True))
    same(
        [back[position] for position in range(len(values))],
        "the mask of a value depends on the column's order",
    )
    fresh = trial.another()
    same(
        [trial.mask([value], fresh)[0] for value in reversed(values)][::-1],
        "the mask of a value depends on what was masked with it or before it",
    )
    with _another_hash_seed(trial.cls):
        same(
            trial.mask(values, trial.another()),
            "the mask of a value depends on hash(), which differs in every process; derive it from the key",
        )


@contextmanager
def _another_hash_seed(cls: type[Masker]) -> Iterator[None]:
    """Lets hash() in the masker's package answer as in another process; dicts and sets stay as they are."""

    def reseeded(value: Any) -> int:
        return (
            hash(("another process", value))
            if isinstance(value, str | bytes | datetime.datetime)
            else hash(value)
        )

    package = cls.__module__.partition(".")[0]
    modules = [
        module
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] == package and "hash" not in vars(module)
    ]
    for module in modules:
        vars(module)["hash"] = reseeded
    try:
        yield
    finally:
        for module in modules:
            del vars(module)["hash"]


def _check_idempotence(trial: Trial, masked: Sequence[Any]) -> None:
    once = [
        result
        for result in masked
        if _is_mask(result) and PYTHON_ALIASES.get(type(result)) in trial.masker.types
    ]
    for subjects in ([b"subject-1"] * len(once), [b"subject-2"] * len(once)):
        first = trial.mask(once, subjects=subjects)
        for result, again in zip(once, first, strict=True):
            require(
                fingerprint(result) == fingerprint(again),
                trial.cls,
                f"it promises to be idempotent, and masks the mask {_show(result)} into {_show(again)}",
            )


def _check_key(trial: Trial, values: Sequence[Any], masked: Sequence[Any]) -> None:
    others = trial.mask(values, trial.another(OTHER_KEY))
    counted = [
        fingerprint(first) != fingerprint(second)
        for value, first, second in zip(values, masked, others, strict=True)
        if _is_mask(first) and fingerprint(first) != fingerprint(value)
    ]
    require(
        2 * sum(counted) >= len(counted) and any(counted),
        trial.cls,
        "another key gives the same masks; use self.key, or leave needs_key False",
    )


def _check_uniqueness(trial: Trial) -> None:
    promise = trial.masker.uniqueness
    if promise == "lossy":
        return
    for alias in sorted(trial.masker.types):
        values = samples.many(alias, _MANY)
        if promise == "injective":
            values += samples.LOOKALIKES.get(alias, ())
        masked = trial.mask(values, subjects=[b"subject"] * len(values))
        owners: dict[bytes, Any] = {}
        shared = 0
        for value, result in zip(values, masked, strict=True):
            if not _is_mask(result):
                continue
            other = owners.setdefault(fingerprint(result), value)
            if fingerprint(other) != fingerprint(value):
                shared += 1
                require(
                    promise != "injective",
                    trial.cls,
                    f"it promises to be injective, and {_show(other)} and {_show(value)} "
                    f"share the mask {_show(result)}",
                )
        require(
            shared * 100 <= len(values),
            trial.cls,
            "it promises that masks are hardly ever shared, "
            f"and {shared} of {len(values)} values of type {alias} share one",
        )


def _check_what_bson_cannot_hold(trial: Trial) -> None:
    """A lone surrogate never comes from a server; a masker that is asked all the same may not let it through."""
    for value in trial.of_types(samples.ODD):
        if not encodable(value):
            (result,) = trial.mask([value])
            require(
                trial.masker.changes != "always" or not _unchanged(value, result),
                trial.cls,
                f"it promises to change every value, and lets {_show(value)} through; answer FAILED instead",
            )


def _check_canaries(trial: Trial) -> None:
    """`Trial.mask` looks at every message; here it is given what would show in one."""
    values = [
        canary.value for alias in sorted(trial.masker.types) for canary in samples.CANARIES.get(alias, ())
    ]
    subjects = [samples.SUBJECT_CANARY] * len(values)
    trial.mask(values, subjects=subjects)
    for value in values:
        trial.mask([value], subjects=subjects[:1])
