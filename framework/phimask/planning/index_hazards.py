"""Indexes held against rules: what masking would break, and what it would change the meaning of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from phimask.masking.automaton import NO_RULE, State, automaton_of
from phimask.masking.columns import BoundRule
from phimask.planning.hazards import Hazard, hazard
from phimask.planning.namespace import Namespace
from phimask.plugins.values import Wildcard

_KINDS: Final = {"text": "text", "2dsphere": "geo", "2d": "geo", "geoHaystack": "geo"}
_ALL_DIFFERENCES: Final = 3
"""The strength from which on a collation tells case and accents apart. Source: MongoDB manual, Collation."""


def of_indexes(
    where: Namespace, indexes: Sequence[Mapping[str, Any]], rules: Sequence[BoundRule], *, written: bool
) -> Iterator[Hazard]:
    """Hazards of a collection that masked documents are put into. `written`: its indexes are there meanwhile, so that
    each costs."""
    root = automaton_of(rules)
    touched = 0
    for index in indexes:
        masked = [(path, kind, rule) for path, kind in _indexed(index) for rule in masking(root, path, rules)]
        filtered = sorted(
            {path for path in _filtering(index.get("partialFilterExpression")) if masking(root, path, rules)}
        )
        touched += bool(masked or filtered)
        yield from _of_one(where, index, masked, filtered)
    if touched and written:
        yield hazard(
            "indexes-on-masked-paths",
            where,
            f": {touched} index(es) are on masked paths; each costs on every write",
        )


def _of_one(
    where: Namespace,
    index: Mapping[str, Any],
    masked: Sequence[tuple[str, Any, BoundRule]],
    filtered: Sequence[str],
) -> Iterator[Hazard]:
    name = index["name"]
    for path, _, rule in masked:
        masker = rule.masker
        if index.get("unique") and masker.uniqueness != "injective":
            yield hazard(
                "unique-index",
                where,
                f": index {name!r} is unique on {path}, and {masker.name} ({rule.path}) may give two "
                "values the same mask; use an injective masker, drop the index, or mask into a target",
                path=path,
                index=name,
            )
        elif index.get("unique") and _folds(index.get("collation")):
            yield hazard(
                "unique-index-collation",
                where,
                f": index {name!r} is unique on {path} under a collation that takes different texts for equal, and "
                f"two masks of {masker.name} ({rule.path}) may be such; use a masker whose masks are digits, or drop "
                "the index",
                path=path,
                index=name,
            )
        if "expireAfterSeconds" in index:
            yield hazard(
                "ttl-index",
                where,
                f": index {name!r} deletes documents by {path} (TTL), and {masker.name} ({rule.path}) "
                "changes it: masked documents would expire at other times; drop the index first, or mask into "
                "a target",
                path=path,
                index=name,
            )
    kinds = dict.fromkeys((path, _KINDS[kind]) for path, kind, _ in masked if kind in _KINDS)
    for path, kind in kinds:
        yield hazard(
            f"{kind}-index",
            where,
            f": {kind} index {name!r} is on {path}, which is masked: what it finds changes; drop it if nobody needs "
            "it on masked data",
            path=path,
            index=name,
        )
    for path in dict.fromkeys(path for path, _, _ in masked if path.endswith("$**") and not kinds):
        yield hazard(
            "wildcard-index",
            where,
            f": wildcard index {name!r} on {path} covers masked paths: each masked value is an entry to rewrite",
            path=path,
            index=name,
        )
    if filtered:
        yield hazard(
            "partial-index",
            where,
            f": index {name!r} is partial by {', '.join(filtered)}, which is masked: which documents it "
            "holds may change; make it anew for masked values, or drop it",
            path=filtered[0],
            index=name,
        )


def of_shard_key(source: Namespace, key: Sequence[str], rules: Sequence[BoundRule]) -> Iterator[Hazard]:
    """Hazards of rules that mask the shard key in place."""
    root = automaton_of(rules)
    for path in key:
        for rule in masking(root, path, rules):
            yield hazard(
                "shard-key",
                source,
                f": {path} is in the shard key and masked by {rule.path}; mask into a target instead",
                path=path,
            )


def _folds(collation: Mapping[str, Any] | None) -> bool:
    """Whether texts with different characters may be equal."""
    if collation is None or collation.get("locale") == "simple":
        return False
    return (
        collation.get("strength", _ALL_DIFFERENCES) < _ALL_DIFFERENCES
        or bool(collation.get("numericOrdering"))
        or collation.get("alternate") == "shifted"
    )


def on_masked_paths(index: Mapping[str, Any], rules: Sequence[BoundRule]) -> bool:
    """Whether a masked document may have to change place in the index."""
    root = automaton_of(rules)
    paths = {path for path, _ in _indexed(index)} | {*_filtering(index.get("partialFilterExpression"))}
    return any(masking(root, path, rules) for path in paths)


def _indexed(index: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The paths of an index with their kinds: 1, -1, text, 2dsphere and the like; a text index names its weights."""
    for path, kind in index["key"].items():
        if path == "_fts":
            yield from ((one, "text") for one in index["weights"])
        elif path != "_ftsx":
            yield path, kind


def _filtering(expression: Any) -> Iterator[str]:
    """The paths that a partial index's filter asks for."""
    for key, value in (expression or {}).items():
        if key.startswith("$"):
            for part in value if isinstance(value, list) else ():
                yield from _filtering(part)
        else:
            yield key


def masking(root: State, path: str, rules: Sequence[BoundRule]) -> list[BoundRule]:
    """The rules that change what is indexed under a path: values at it, and those below it that a rule names.

    A rule such as `**.SSN` may match below any path; it counts only where an index covers all there is (`$**`).
    """
    everything = path == "$**" or path.endswith(".$**")
    keys = path.removesuffix("$**").removesuffix(".").split(".") if path != "$**" else []
    state: State | None = root
    for key in keys:
        if state is None:
            break
        named = state.named.get(key)
        state = named[0] if named is not None else state.other
    numbers = {number for number, rule in enumerate(rules) if _reaches_below(rule, keys, everything)}
    if state is not None:
        numbers |= {state.winner, state.decoder} - {NO_RULE}
    return [rules[number] for number in sorted(numbers) if rules[number].masker.changes != "never"]


def _reaches_below(rule: BoundRule, keys: Sequence[str], everything: bool) -> bool:
    """Whether a rule's own path leads through these keys and on."""
    for position, key in enumerate(keys):
        segment = rule.segments[position] if position < len(rule.segments) else None
        if segment is Wildcard.ANY_DEPTH:
            return everything
        if segment is not Wildcard.ANY_KEY and segment != key:
            return False
    return len(rule.segments) > len(keys)
