"""The rules of a collection as one update pipeline, where MongoDB can compute every mask itself.

The outcome is that of the masking core: what is absent stays absent, null stays null, arrays are walked through, a
value's type decides what becomes of it. A document that holds anything that the pipeline cannot treat exactly makes the
update fail before it changes that document: a key that stands twice (the server would lose one of them, or end itself
in trying to tell what changed), an array in an array, a type that the masker has no expression for. Such documents are
for the core.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import bson

from phimask.config.model import CollectionFile
from phimask.masking.automaton import nameable
from phimask.masking.columns import BoundRule
from phimask.plugins.interfaces import Masker

_VALUE: Final = "$$value"
"""What an expression of a masker calls the value."""
_NOTHING: Final = ["missing", "null"]
_USUAL: Final = 2
"""So many kinds of values are asked for first, one by one."""


def expressions(masker: Masker) -> dict[str, Any]:
    """The expressions by BSON type that the server can use of a masker; empty: it can use none.

    A range that is masked again after a lost answer must come out the same, so only what is idempotent will do; and
    nothing secret may stand in a server's log.
    """
    if (
        not masker.idempotent
        or masker.needs_key
        or masker.needs_subject
        or masker.needs_siblings
        or masker.writes
    ):
        return {}
    found = {one: masker.server_expression(one) for one in sorted(masker.types)}
    return {one: expression for one, expression in found.items() if expression is not None}


def unserved(file: CollectionFile, rules: Sequence[BoundRule]) -> Iterator[str]:
    """What keeps the server from computing these rules, each with the rule that stands in the way."""
    if file.unmapped != "keep":
        yield f"`unmapped: {file.unmapped}`: the server does not look at paths that no rule names"
        return
    for rule in rules:
        if rule.when is not None:
            yield f"{rule.path}: a rule with `when` is judged document by document"
        elif rule.decode:
            yield f"{rule.path}: the server does not look into encoded strings (`decode`)"
        elif not all(isinstance(key, str) and nameable(key) and not key.isdigit() for key in rule.segments):
            yield f"{rule.path}: a path with a wildcard, a number, or a dot or $ in a key"
        elif rule.masker.changes != "never" and not expressions(rule.masker):
            yield f"{rule.path}: MongoDB has no exact expression for the masker {rule.masker.name}"
    paths = {rule.segments for rule in rules}
    for rule in rules:
        if any(rule.segments[:length] in paths for length in range(1, len(rule.segments))):
            yield f"{rule.path}: it lies below the path of another rule"


def served_update(rules: Sequence[BoundRule]) -> list[dict[str, Any]]:
    """The update pipeline of rules of which nothing is `unserved`."""
    root = _Level()
    for rule in rules:  # of the same path twice, the last wins
        root.put([key for key in rule.segments if isinstance(key, str)], rule.masker)
    root.leave_out_kept()
    if not root.keys:
        return []
    fields = {key: _at(one, f"${key}", 0) for key, one in root.keys.items()}
    first = next(iter(fields))
    # One stage computes all fields from the document as it was; a failure in one of them is a failure of all.
    proven = _each_key_once("$$ROOT", {"$mergeObjects": "$$ROOT"})
    fields[first] = {"$cond": [proven, fields[first], _failure("$_id")]}
    return [{"$set": fields}]


@dataclass(slots=True)
class _Level:
    keys: dict[str, _Level | Masker] = field(default_factory=dict)

    def put(self, path: Sequence[str], masker: Masker) -> None:
        if len(path) == 1:
            self.keys[path[0]] = masker
            return
        below = self.keys.setdefault(path[0], _Level())
        assert isinstance(below, _Level)  # noqa: S101  (no rule lies below another)
        below.put(path[1:], masker)

    def leave_out_kept(self) -> None:
        for key, one in list(self.keys.items()):
            if isinstance(one, _Level):
                one.leave_out_kept()
            if not one.keys if isinstance(one, _Level) else one.changes == "never":
                del self.keys[key]


def _at(one: _Level | Masker, value: str, depth: int) -> Any:
    """What becomes of a field's value."""
    if isinstance(one, _Level):
        return _walked(value, lambda inner: _document(one, inner, depth + 1), depth)
    if one.removes:
        return {"$cond": [_is(value, ["null"]), value, _accepted(value, expressions(one), "$$REMOVE")]}
    return _masked(one, value, depth)


def _walked(value: str, document: Any, depth: int) -> Any:
    """Sub-documents, also those in an array, are gone into; other values are nobody's."""
    element = f"e{depth}"

    def inner(name: str, array: Any) -> Any:
        other = {"$cond": [{"$isArray": [name]}, array, name]}
        return {"$cond": [_is(name, ["object"]), document(name), other]}

    each = inner(f"$${element}", _failure(f"$${element}"))
    return inner(value, {"$map": {"input": value, "as": element, "in": each}})


def _document(level: _Level, value: str, depth: int) -> Any:
    """A sub-document with its fields masked, in their order: set in what was merged of it to look at its keys."""
    name = f"m{depth}"
    merged = f"$${name}"
    result: Any = merged
    for key, one in level.keys.items():  # what stays absent is set to nothing
        result = {"$setField": {"field": key, "input": result, "value": _at(one, f"{merged}.{key}", depth)}}
    proven = {"$cond": [_each_key_once(value, merged), result, _failure(value)]}
    return {"$let": {"vars": {name: {"$mergeObjects": value}}, "in": proven}}


def _masked(masker: Masker, value: str, depth: int) -> Any:
    element = f"e{depth}"
    found = expressions(masker)
    each = _by_type(f"$${element}", found, _failure(f"$${element}"))
    elements = {"$map": {"input": value, "as": element, "in": each}}
    return _by_type(value, found, {"$cond": [{"$isArray": [value]}, elements, _failure(value)]})


def _accepted(value: str, found: Mapping[str, Any], result: Any) -> Any:
    return {"$cond": [_is(value, [*found, "missing"]), result, _failure(value)]}


def _by_type(value: str, found: Mapping[str, Any], otherwise: Any) -> Any:
    """The expression for the value's type, those that are the same put together. What is usual is asked for first: the
    usual types, and whether there is a value."""
    groups: list[tuple[Any, list[str]]] = []
    for bson_type, expression in found.items():
        for same, types in groups:
            if _alike(same, expression):
                types.append(bson_type)
                break
        else:
            groups.append((expression, [bson_type]))
    groups.sort(key=lambda group: ("string" not in group[1], "date" not in group[1]))
    usual, other = groups[:_USUAL], groups[_USUAL:]
    constants = {kind: one["$literal"] for one, types in other if _is_constant(one) for kind in types}
    result = otherwise
    if constants:  # in a table: the server reads the whole pipeline anew for each batch
        place = {"$indexOfArray": [{"$literal": [*constants]}, {"$type": value}]}
        constant = {"$arrayElemAt": [{"$literal": [*constants.values()]}, place]}
        result = {"$cond": [_is(value, [*constants]), constant, result]}
    result = _first_of([group for group in other if not _is_constant(group[0])], value, result)
    return _first_of(usual, value, {"$cond": [_is(value, _NOTHING), value, result]})


def _first_of(groups: Sequence[tuple[Any, list[str]]], value: str, otherwise: Any) -> Any:
    for expression, types in reversed(groups):
        otherwise = {"$cond": [_is(value, types), with_value(expression, value), otherwise]}
    return otherwise


def _alike(one: Any, other: Any) -> bool:
    """To the server: an int and a long of one value are equal to Python."""
    return bson.encode({"": one}) == bson.encode({"": other})


def _is_constant(expression: Any) -> bool:
    return isinstance(expression, Mapping) and "$literal" in expression


def with_value(expression: Any, value: str) -> Any:
    """A masker's expression with the value's own path in it."""
    if isinstance(expression, Mapping):
        return {key: one if key == "$literal" else with_value(one, value) for key, one in expression.items()}
    if isinstance(expression, list):
        return [with_value(one, value) for one in expression]
    return value if expression == _VALUE else expression


def _is(value: str, types: Sequence[str]) -> Any:
    kind = {"$type": value}
    return {"$eq": [kind, types[0]]} if len(types) == 1 else {"$in": [kind, {"$literal": [*types]}]}


def _each_key_once(value: str, merged: Any) -> Any:
    """Merging keeps one of a key's fields, so that a document that has two is not equal to what is merged of it.

    To measure both costs as much, and what is merged is needed anyway: it is masked in less time than the document, of
    which the server looks for each field in two places.
    """
    return {"$eq": [value, merged]}


def _failure(value: str) -> Any:
    """No type's name is an ObjectId, which the server cannot tell before it has a value."""
    return {"$toObjectId": {"$type": value}}
