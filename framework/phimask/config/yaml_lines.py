"""YAML text to nodes with file, line and JSONPath, and one clear fault for whatever is not plain YAML.

The types are those of YAML 1.2's core schema (section 10.3.2), but only `true` and `false` are booleans, so that a
collection called `no` keeps its name; dates stay texts, infinities and NaN too. No tags make objects, and what
aliases may unfold to is bounded.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any, Final, NoReturn

import yaml

from phimask.config.model import Origin
from phimask.config.nodes import Node, Scalar, below
from phimask.config.units import in_64_bits
from phimask.config.wording import fault_at, in_order, is_encodable, quoted
from phimask.errors import ConfigError, Fault

LONGEST_FILE: Final = 4 * 1024 * 1024
"""Bytes."""
DEEPEST: Final = 60
MOST_VALUES: Final = 100_000
"""Aliases unfolded."""

_BARE: Final = "phimask:bare"
_KNOWN_TAGS: Final = {_BARE} | {f"tag:yaml.org,2002:{name}" for name in ("str", "map", "seq")}
_LONGEST_NUMBER: Final = 300

_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = re.compile(r"true|false")
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader without its YAML 1.1 guesses: bare scalars are left to `scalar_of`."""

    yaml_implicit_resolvers = {None: [(_BARE, re.compile(""))]}  # noqa: RUF012  (PyYAML's own form)


_NATIVE: Final[type[Any]] = type(
    "_Native",
    (getattr(yaml, "CSafeLoader", _Loader),),
    {"yaml_implicit_resolvers": _Loader.yaml_implicit_resolvers},
)
"""The same on libyaml, where PyYAML was built with it: ten times as fast. It reads some odd texts in another way, so
that what a file means would hang on how PyYAML was built: hence for shipped files only."""


def scalar_of(text: str) -> Scalar:
    """The value of a scalar written without quotes.

    Raises ValueError where it is a number beyond all use (an integer of more than 64 bits, an overflow).
    """
    if _NULL.fullmatch(text):
        return None
    if _BOOL.fullmatch(text):
        return text == "true"
    if _INT.fullmatch(text):
        if len(text) > _LONGEST_NUMBER:
            raise ValueError("a number of hundreds of digits")
        return in_64_bits(int(text, 0 if text[:2] in {"0o", "0x"} else 10))
    if _FLOAT.fullmatch(text):
        number = float(text)
        if math.isinf(number):
            raise ValueError("a number out of range")
        return number
    return text


def read_yaml(path: Path, shown: str, *, shipped: bool = False) -> Node:
    """The file's root mapping; `shown` is what faults call the file. Raises ConfigError.

    `shipped`: it comes with phimask, so that both of PyYAML's parsers are known to read it alike.
    """

    def refuse(line: int | None, wrong: str, right: str) -> NoReturn:
        raise ConfigError([Fault(shown, line, "$", wrong, right)]) from None

    try:
        with path.open("rb") as file:
            content = file.read(LONGEST_FILE + 1)
    except IsADirectoryError:
        refuse(None, "this is a folder", "name a YAML file")
    except OSError as error:
        refuse(None, f"the file cannot be read ({error.strerror})", "name a file that this user may read")
    if len(content) > LONGEST_FILE:
        refuse(None, f"the file is larger than {LONGEST_FILE // 1024 // 1024} MiB", "split it")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        refuse(content.count(b"\n", 0, error.start) + 1, "the file is not UTF-8", "save it as UTF-8")
    return parse_yaml(text, shown, shipped=shipped)


def parse_yaml(text: str, shown: str, *, shipped: bool = False) -> Node:
    """The text's root mapping. Raises ConfigError with every fault that YAML alone shows."""
    root = _composed(_NATIVE, text) if shipped else _compose(text, shown, lines=True)
    if root is None:
        raise ConfigError([Fault(shown, 1, "$", "the file is empty", "begin with `version: 1`")])
    node = _build(root, Origin(shown, 1, "$"), lines=True)
    if not isinstance(node.value, dict):
        found = "a list" if isinstance(node.value, list) else "a single value"
        raise ConfigError([fault_at(node.origin, f"the file holds {found}", "write `key: value` lines")])
    return node


def parse_value(text: str, origin: Origin) -> Node:
    """One value in YAML as given by a flag; every node in it stands at `origin`'s source, without a line."""
    root = _compose(text, origin.file, lines=False)
    if root is None:
        raise ConfigError([fault_at(origin, "no value is given", "write key.path=value, or =null for none")])
    return _build(root, origin, lines=False)


def _composed(kind: type[Any], text: str) -> yaml.Node | None:
    loader = kind(text)
    try:
        node: yaml.Node | None = loader.get_single_node()
    finally:
        loader.dispose()
    return node


def _compose(text: str, shown: str, *, lines: bool) -> yaml.Node | None:
    try:
        return _composed(_Loader, text)
    except yaml.reader.ReaderError as error:
        line: int | None = text.count("\n", 0, error.position) + 1
        wrong, right = "there is a control character", "delete it: YAML is plain text"
    except yaml.MarkedYAMLError as error:
        line, wrong, right = _explained(error)
    except RecursionError:
        line, wrong, right = None, "values are nested too deeply", f"use at most {DEEPEST} levels"
    except (ValueError, OverflowError):  # of Python's own, which PyYAML lets through
        line, wrong, right = None, "an escape (\\U...) stands for no character", "write the character itself"
    raise ConfigError([Fault(shown, line if lines else None, "$", wrong, right)]) from None


# What PyYAML says (a part of its context or problem), what a person needs to hear, and whether the
# beginning of the thing (its context) is the better line to name.
_EXPLANATIONS: Final = (
    (
        "expected a single document",
        "a second document begins here",
        "keep one document a file: no `---`",
        False,
    ),
    ("scanning a quoted scalar", "a quote is opened here and never closed", "close it", True),
    (
        "unknown escape character",
        "a backslash in double quotes begins an unknown escape",
        "double it (\\\\), or use single quotes",
        False,
    ),
    ("'\\t'", "a tab stands where YAML takes spaces only", "write spaces", False),
    (
        "cannot start any token",
        "a value begins with a character that YAML reserves",
        "put it in quotes",
        False,
    ),
    (
        "scanning an alias",
        "a value that begins with * is read as an alias",
        'put it in quotes, as in "**.SSN"',
        False,
    ),
    ("undefined alias", "an alias (*name) has no anchor (&name) before it", "put the value in quotes", False),
    ("duplicate anchor", "an anchor (&name) is set twice", "give each its own name", False),
    ("undefined tag handle", "a value begins with a tag (!)", "put it in quotes", False),
    (
        "mapping values are not allowed",
        "a second `: ` stands in one line, or the line is indented too far",
        "put a value that holds `: ` in quotes, and align the keys",
        False,
    ),
    ("could not find expected ':'", "a key has no colon", "write `key: value`", True),
    (
        "parsing a flow",
        "a bracket or brace is opened here and not closed, or a comma is missing",
        "close it, and put values that hold { } [ ] or a comma in quotes",
        True,
    ),
    ("parsing a block mapping", "this line does not fit the mapping around it", "align its keys", False),
    (
        "parsing a block collection",
        "this line does not fit the list around it",
        "begin each item with `- `, aligned",
        False,
    ),
)


def _explained(error: yaml.MarkedYAMLError) -> tuple[int | None, str, str]:
    said = f"{error.context or ''} {error.problem or ''}"
    known = next((entry for entry in _EXPLANATIONS if entry[0] in said), None)
    if known is None:
        wrong, right, mark = "this is not YAML", "write `key: value` lines", error.problem_mark
    else:
        _, wrong, right, at_beginning = known
        mark = (error.context_mark if at_beginning else None) or error.problem_mark
    return (None if mark is None else mark.line + 1), wrong, right


def _build(root: yaml.Node, origin: Origin, *, lines: bool) -> Node:
    builder = _Builder(origin.file, lines=lines)
    node = builder.node(root, origin.path, None, 0)
    if builder.faults:
        raise ConfigError(in_order(builder.faults))
    return node


class _Builder:
    """Turns PyYAML's graph (aliases shared) into a tree, and collects what is wrong in it."""

    def __init__(self, file: str, *, lines: bool) -> None:
        self.faults: list[Fault] = []
        self._file = file
        self._lines = lines
        self._values = 0
        self._open: set[int] = set()

    def node(self, source: yaml.Node, path: str, line: int | None, depth: int) -> Node:
        """`line` is that of the key before it, which is what a person looks for."""
        origin = Origin(self._file, (line or source.start_mark.line + 1) if self._lines else None, path)
        self._values += 1
        if self._values > MOST_VALUES:
            self._refuse(origin, f"aliases unfold to more than {MOST_VALUES} values", "write fewer aliases")
        if depth > DEEPEST:
            self._refuse(origin, "values are nested too deeply", f"use at most {DEEPEST} levels")
        if id(source) in self._open:
            self._refuse(origin, "an alias stands inside the value that it repeats", "write the value out")
        if source.tag not in _KNOWN_TAGS:
            self.faults.append(fault_at(origin, "a tag (!...) stands before the value", "remove the tag"))
            return Node(None, origin, broken=True)
        if isinstance(source, yaml.ScalarNode):
            return self._scalar(source, origin)
        self._open.add(id(source))
        try:
            if isinstance(source, yaml.MappingNode):
                return Node(self._keys(source, path, depth), origin)
            items = [
                self.node(item, below(path, index), None, depth + 1)
                for index, item in enumerate(source.value)
            ]
            return Node(items, origin)
        finally:
            self._open.discard(id(source))

    def _keys(self, source: yaml.MappingNode, path: str, depth: int) -> dict[str, Node]:
        keys: dict[str, Node] = {}
        first: dict[str, int] = {}
        for key_source, value_source in source.value:
            line = key_source.start_mark.line + 1
            place = Origin(self._file, line if self._lines else None, path)
            if not isinstance(key_source, yaml.ScalarNode):
                self.faults.append(fault_at(place, "a key is a list or a mapping", "write a text as the key"))
                continue
            key = str(key_source.value)
            if not is_encodable(key):
                self.faults.append(_half_a_character(place))
                continue
            place = Origin(self._file, place.line, below(path, key))
            if key_source.tag == _BARE and key == "<<":
                wrong, right = "merge keys (<<) are not read", "use `extends`, or write the keys out"
                self.faults.append(fault_at(place, wrong, right))
                continue
            if not self._is_text(key_source):
                wrong = f"the key {key or 'here'} is no text" if key else "the key is empty"
                self.faults.append(fault_at(place, wrong, f'put it in quotes: "{key}"'))
                continue
            if key in keys:
                where = f" (first on line {first[key]})" if self._lines else ""
                wrong = f"the key {quoted(key)} is given twice{where}"
                self.faults.append(fault_at(place, wrong, "keep one of them"))
                continue
            first[key] = line
            keys[key] = self.node(value_source, below(path, key), line, depth + 1)
        return keys

    def _is_text(self, key: yaml.ScalarNode) -> bool:
        if key.tag != _BARE:
            return True
        try:
            return isinstance(scalar_of(key.value), str)
        except ValueError:
            return False

    def _scalar(self, source: yaml.ScalarNode, origin: Origin) -> Node:
        text = str(source.value)
        if not is_encodable(text):
            self.faults.append(_half_a_character(origin))
            return Node(None, origin, broken=True)
        if source.tag != _BARE:
            return Node(text, origin, written=text)
        try:
            value = scalar_of(text)
        except ValueError:
            self.faults.append(fault_at(origin, "the number is out of range", "write a smaller one"))
            return Node(None, origin, written=text, broken=True)
        return Node(value, origin, written=text, bare=True)

    def _refuse(self, origin: Origin, wrong: str, right: str) -> NoReturn:
        # no path: at such a depth it would be longer than the message
        raise ConfigError([Fault(origin.file, origin.line, "$", wrong, right)])


def _half_a_character(origin: Origin) -> Fault:
    return fault_at(
        origin, "an escape stands for half a character (a surrogate)", "write the character itself"
    )
