"""JSON Schema (draft 2020-12) findings as faults that a database administrator understands.

Says what is wrong and what would be right, all of it at once, with a guess for a misspelt word. Values at paths that
the schema marks `secret: true` are never shown; values from environment variables are shown as written. A schema
may carry its own answer to "what would be right" as `x-right`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from phimask.config.model import Origin
from phimask.config.nodes import Node, at, below, mapping, plain
from phimask.config.schema_walk import (
    RIGHT_OF_FORMAT,
    Path,
    Schema,
    numeric,
    prepared,
    properties_at,
    resolved,
    secret_paths,
)
from phimask.config.wording import closest, fault_at, guess_or_list, listed, quoted
from phimask.errors import Fault

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

_NOTHING: Final = "nothing is written here"
_NOUNS: Final = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "a mapping",
    "array": "a list",
    "null": "nothing",
}
_RIGHT_NOUNS: Final = {
    **_NOUNS,
    "object": "a mapping (`key: value`)",
    "array": "a list ([a, b])",
    "null": "null",
}


def checked(node: Node, schema: Schema, faults: list[Fault]) -> Node:
    """The tree with defaults and converted units; every violation of the schema is added to `faults`."""
    tree = prepared(node, schema, faults)
    judge = _Judge(tree, numeric(schema))
    faults.extend(judge.faults())
    return tree


@dataclass(frozen=True)
class _Violation:
    """One thing that the JSON Schema library found, with the schema that said so."""

    keyword: str
    limit: Any
    schema: Schema
    instance: Any
    path: Path
    branches: tuple[tuple[int, _Violation], ...]
    """Under anyOf and oneOf: what each alternative found, by its index."""

    @classmethod
    def of(cls, error: ValidationError) -> _Violation:
        schema = error.schema if isinstance(error.schema, Mapping) else {}
        inner = error.context or ()
        branches = tuple((int(part.schema_path[0]), cls.of(part)) for part in inner if part.schema_path)
        return cls(
            str(error.validator),
            error.validator_value,
            schema,
            error.instance,
            tuple(error.absolute_path),
            branches,
        )


class _Judge:
    """The findings about one tree under one schema, in words."""

    def __init__(self, tree: Node, schema: Schema) -> None:
        self._tree = tree
        self._schema = schema
        self._secret = secret_paths(tree, schema)

    def faults(self) -> list[Fault]:
        errors = _validator(self._schema).iter_errors(plain(self._tree))
        found = [fault for error in errors for fault in self._explained(_Violation.of(error))]
        return list(dict.fromkeys(found))

    def _explained(self, error: _Violation) -> Iterator[Fault]:
        node = at(self._tree, error.path)
        if node.broken:
            return
        wordings: Mapping[str, Callable[[_Violation, Node], Iterable[Fault]]] = {
            "additionalProperties": self._unknown_keys,
            "required": self._missing_keys,
            "anyOf": self._no_branch,
            "oneOf": self._no_branch,
            "uniqueItems": self._repeated,
        }
        wording = wordings.get(error.keyword)
        if wording is not None:
            yield from wording(error, node)
        else:
            yield fault_at(node.origin, self._wrong(error, node), self._right(error, node))

    def _unknown_keys(self, error: _Violation, node: Node) -> Iterator[Fault]:
        known = _own_keys(error)
        hidden = self._is_secret(error)
        for key, child in mapping(node).items():
            if key in known:
                continue
            if hidden:
                yield fault_at(
                    node.origin, "there is an unknown key", f"the keys here are {listed(known, 'and')}"
                )
                continue
            right = (
                guess_or_list(key, known, "the keys here are") if known else "remove it: no keys belong here"
            )
            yield fault_at(_place_of_key(node, key, child), f"unknown key {quoted(key)}", right)

    def _missing_keys(self, error: _Violation, node: Node) -> Iterator[Fault]:
        present, known = mapping(node), properties_at(self._schema, error.path)
        for key in error.limit:
            if key in present:
                continue
            # a misspelt key is one mistake: the unknown key's own fault says what it should have been
            if any(closest(word, known) == key for word in present if word not in known):
                continue
            if "const" in known.get(key, {}):
                yield fault_at(
                    node.origin,
                    f"the key {quoted(key)} is missing",
                    f"add `{key}: {_literal(known[key]['const'])}`",
                )
                continue
            meaning = str(known.get(key, {}).get("description", "")).split(". ")[0].rstrip(".")
            right = f"add `{key}:`" + (f" ({meaning[0].lower()}{meaning[1:]})" if meaning else "")
            yield fault_at(node.origin, f"the key {quoted(key)} is missing", right)

    def _no_branch(self, error: _Violation, node: Node) -> Iterator[Fault]:
        """Where one alternative has the value's type, what that one lacks; else what the alternatives are."""
        branches = [resolved(branch, self._schema) for branch in error.limit]
        fitting = [index for index, branch in enumerate(branches) if _has_type(node, branch)]
        if len(fitting) == 1 and not self._is_none_of_the_words(branches, fitting[0], node):
            for index, inner in error.branches:
                if index == fitting[0]:
                    yield from self._explained(inner)
            return
        right = error.schema.get("x-right") or "write " + listed([_expected(one) for one in branches], "or")
        wrong = f"{self._shown(error, node)} does not belong here" if node.value is not None else _NOTHING
        yield fault_at(node.origin, wrong, str(right))

    @staticmethod
    def _is_none_of_the_words(branches: Sequence[Schema], fitting: int, node: Node) -> bool:
        """Whether the alternative is a few words, of which the value is none, not even misspelt, and another may be
        meant."""
        words = [str(word) for word in branches[fitting].get("enum", ())]
        others = [
            one for number, one in enumerate(branches) if number != fitting and one.get("type") != "null"
        ]
        return bool(words and others) and closest(str(node.value), words) is None

    def _repeated(self, error: _Violation, node: Node) -> Iterator[Fault]:
        items = node.value if isinstance(node.value, list) else []
        seen: list[Any] = []
        for item in items:
            value = plain(item)
            if value in seen:
                yield fault_at(item.origin, f"{self._shown(error, item)} is listed twice", "keep one of them")
            seen.append(value)

    def _wrong(self, error: _Violation, node: Node) -> str:
        shown = self._shown(error, node)
        limit = error.limit
        unit = _unit(error)
        match error.keyword:
            case "type":
                wanted = [limit] if isinstance(limit, str) else [kind for kind in limit if kind != "null"]
                what = error.schema.get("format") or listed([_NOUNS.get(kind, kind) for kind in wanted], "or")
                if what in RIGHT_OF_FORMAT:
                    what = "a size" if what == "size" else "a time"
                return _NOTHING if node.value is None else f"{shown} is not {what}"
            case "enum" | "const":
                return f"{shown} is not known here"
            case "minimum":
                return f"{shown} is less than {limit}{unit}"
            case "exclusiveMinimum":
                return f"{shown} is not more than {limit}{unit}"
            case "maximum":
                return f"{shown} is more than {limit}{unit}"
            case "exclusiveMaximum":
                return f"{shown} is not less than {limit}{unit}"
            case "minLength" if not node.value:
                return "the text is empty"
            case "minLength" | "maxLength":
                return f"the text is too {'short' if error.keyword == 'minLength' else 'long'}"
            case "minItems" if not node.value:
                return "the list is empty"
            case "minItems" | "maxItems":
                return f"the list is too {'short' if error.keyword == 'minItems' else 'long'}"
            case "minProperties" if not node.value:
                return "the mapping is empty"
            case "maxProperties":
                return f"too many keys stand here ({len(mapping(node))})"
            case _:
                return f"{shown} is not allowed here"

    def _right(self, error: _Violation, node: Node) -> str:
        schema, limit = error.schema, error.limit
        if "x-right" in schema:
            return str(schema["x-right"])
        if error.keyword == "type" and isinstance(node.value, str) and not node.bare and "${" in node.written:
            return "write the ${...} without quotes, on a line of its own: in quotes it is a text"
        if error.keyword == "enum" and isinstance(error.instance, str) and not self._is_secret(error):
            names = [value for value in limit if isinstance(value, str)]
            guess = closest(error.instance, names)
            if guess is not None:
                return f"did you mean '{guess}'?"
        if error.keyword in {"enum", "const"} and isinstance(error.instance, str):
            numbers = limit if error.keyword == "enum" else [limit]
            if error.instance in [_literal(value) for value in numbers if not isinstance(value, str)]:
                return "write it without quotes"
        if (
            error.keyword == "type"
            and error.limit == "string"
            and isinstance(error.instance, bool | int | float)
        ):
            return "put it in quotes"
        unit = _unit(error)
        match error.keyword:
            case "minimum":
                return f"write {limit}{unit} or more"
            case "exclusiveMinimum":
                return f"write more than {limit}{unit}"
            case "maximum":
                return f"write {limit}{unit} or less"
            case "exclusiveMaximum":
                return f"write less than {limit}{unit}"
            case "minItems":
                return f"write at least {limit} of them" if limit > 1 else "write at least one"
            case "maxItems":
                return f"write at most {limit} of them"
            case "minLength" if limit > 1:
                return f"write at least {limit} characters"
            case "maxLength":
                return f"write at most {limit} characters"
            case "pattern":
                return f"write a text that matches {limit}"
        return f"write {_expected(schema)}"

    def _shown(self, error: _Violation, node: Node) -> str:
        if self._is_secret(error):
            return "the value"
        if isinstance(node.value, dict):
            return "a mapping"
        if isinstance(node.value, list):
            return "a list"
        if node.value is None:
            return "null"
        return quoted(node.written)

    def _is_secret(self, error: _Violation) -> bool:
        return any(error.path[:length] in self._secret for length in range(len(error.path) + 1))


def _validator(schema: Schema) -> Draft202012Validator:
    from jsonschema import Draft202012Validator  # noqa: PLC0415  (a worker comes up without it: all is checked then)

    return Draft202012Validator(schema)


def _place_of_key(node: Node, key: str, child: Node) -> Origin:
    # a default or a flag plants whole mappings at one place; the key still has a path of its own
    if child.origin.path != node.origin.path:
        return child.origin
    return Origin(child.origin.file, child.origin.line, below(node.origin.path, key))


def _unit(error: _Violation) -> str:
    return {"size": " bytes" if error.limit != 1 else " byte", "duration": " s"}.get(
        error.schema.get("format", ""), ""
    )


def _own_keys(error: _Violation) -> list[str]:
    return list(error.schema.get("properties", {}))


def _has_type(node: Node, schema: Schema) -> bool:
    return _validator({"type": schema["type"]}).is_valid(plain(node)) if "type" in schema else True


def _expected(schema: Schema) -> str:
    """What a value under this schema looks like, to follow the word "write"."""
    if "x-right" in schema:
        return str(schema["x-right"]).removeprefix("write ")
    if schema.get("format") in RIGHT_OF_FORMAT:
        return RIGHT_OF_FORMAT[schema["format"]].removeprefix("write ")
    if "const" in schema:
        return _literal(schema["const"])
    if "enum" in schema:
        return listed([_literal(value) for value in schema["enum"]], "or")
    kinds: Sequence[str] = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    what = listed([_RIGHT_NOUNS.get(kind, kind) for kind in kinds], "or") or "another value"
    if kinds == ["boolean"]:
        return what
    example = (schema.get("examples") or [schema.get("default")])[0]
    return (
        what
        if example is None or isinstance(example, Mapping | list)
        else f"{what}, such as {_literal(example)}"
    )


def _literal(value: Any) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)
