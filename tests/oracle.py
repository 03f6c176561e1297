"""What masking must make of a document, computed by slow and simple code over raw BSON.

Shares nothing with what it judges: it takes a document apart into a tree, asks for each value which rule is
the last that covers it, and puts the tree together again. Source: the BSON specification, version 1.1.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from phimask import REMOVE, Wildcard

Segments: TypeAlias = Sequence[str | Wildcard]
Value: TypeAlias = tuple[int, bytes]
Mask: TypeAlias = Callable[[int, bytes], object]
"""Takes a BSON type and a value's bytes; answers with such a pair, or with REMOVE."""
Node: TypeAlias = "tuple[int, bytes, bytes | list[Node]]"
"""Type, key, and the value's bytes or, for a sub-document (0x03) or array (0x04), its nodes."""


class OracleRule(NamedTuple):
    """A rule, in the terms of bytes. `containers` and `removes` as a Masker declares them."""

    path: Segments
    mask: Mask
    containers: bool = False
    removes: bool = False


def keep(bson_type: int, value: bytes) -> Value:
    """The mask of a rule that keeps."""
    return bson_type, value


def nullify(bson_type: int, value: bytes) -> Value:
    """The mask of a rule that nullifies (`containers` is True for it)."""
    return 0x0A, b""


def remove(bson_type: int, value: bytes) -> object:
    """The mask of a rule that removes (`containers` and `removes` are True for it)."""
    return REMOVE


def redacted(bson_type: int, value: bytes) -> Value:
    """What stands for a value that could not be masked."""
    text = struct.pack("<i", 11) + b"[REDACTED]\0"
    blanks = {
        0x01: struct.pack("<d", 0.0),
        0x02: text,
        0x05: _redacted_binary(value[4:5]),
        0x07: b"\0" * 12,
        0x08: b"\0",
        0x09: struct.pack("<q", 0),
        0x0E: text,
        0x10: struct.pack("<i", 0),
        0x12: struct.pack("<q", 0),
        0x13: bytes.fromhex("00000000000000000000000000004030"),
    }
    if bson_type in blanks:
        return bson_type, blanks[bson_type]
    return 0x0A, b""


def _redacted_binary(subtype: bytes) -> bytes:
    """Empty, but for a UUID (subtypes 3 and 4), all zeros, and subtype 2, which holds its length twice."""
    content = {b"\2": struct.pack("<i", 0), b"\3": b"\0" * 16, b"\4": b"\0" * 16}.get(subtype, b"")
    return struct.pack("<i", len(content)) + subtype + content


def for_types(types: Sequence[int], mask: Mask) -> Mask:
    """`mask` for these types; every other value is redacted."""
    return lambda bson_type, value: (mask if bson_type in types else redacted)(bson_type, value)


def on_text(change: Callable[[bytes], bytes]) -> Mask:
    """A mask for strings, from a function of their bytes; other types are redacted."""

    def mask(bson_type: int, value: bytes) -> Value:
        text = change(value[4:-1])
        return bson_type, struct.pack("<i", len(text) + 1) + text + b"\0"

    return for_types([0x02], mask)


def plus_a_day(bson_type: int, value: bytes) -> Value:
    """A mask for dates: one day later (86,400,000 ms), without regard to overflow beyond int64."""
    if bson_type != 0x09:
        return redacted(bson_type, value)
    (milliseconds,) = struct.unpack("<q", value)
    return bson_type, struct.pack("<q", min(milliseconds + 86_400_000, 2**63 - 1))


def parse(raw: bytes) -> list[Node]:
    """The tree of a document. Raises AssertionError where the bytes are not BSON."""
    (length,) = struct.unpack("<i", raw[:4])
    assert length == len(raw), "the length is wrong"
    assert raw[-1] == 0, "the end is missing"
    nodes: list[Node] = []
    at = 4
    while at < length - 1:
        bson_type = raw[at]
        end = raw.index(b"\0", at + 1)
        key = raw[at + 1 : end]
        # But for a regular expression, four bytes tell how long a value is.
        size = _size(bson_type, raw[end + 1 : -1 if bson_type == 0x0B else end + 5])
        at = end + 1 + size
        assert at < length, "a value is cut off"
        value = raw[end + 1 : at]
        nodes.append((bson_type, key, parse(value) if bson_type in (0x03, 0x04) else value))
    return nodes


def _size(bson_type: int, rest: bytes) -> int:
    fixed = {0x01: 8, 0x06: 0, 0x07: 12, 0x08: 1, 0x09: 8, 0x0A: 0, 0x10: 4, 0x11: 8, 0x12: 8, 0x13: 16}
    fixed |= {0x7F: 0, 0xFF: 0}
    if bson_type in fixed:
        return fixed[bson_type]
    if bson_type == 0x0B:
        pattern, options = rest.split(b"\0", 2)[:2]
        return len(pattern) + len(options) + 2
    (length,) = struct.unpack("<i", rest[:4])
    if bson_type in (0x03, 0x04, 0x0F):
        return length
    if bson_type in (0x02, 0x0D, 0x0E):
        return 4 + length
    if bson_type == 0x05:
        return 5 + length
    assert bson_type == 0x0C, "no such type"
    return 4 + length + 12


def build(nodes: Sequence[Node]) -> bytes:
    """The document of a tree: the inverse of `parse`."""
    body = b"".join(
        bytes([bson_type]) + key + b"\0" + (value if isinstance(value, bytes) else build(value))
        for bson_type, key, value in nodes
    )
    return struct.pack("<i", len(body) + 5) + body + b"\0"


def expected(raw: bytes, rules: Sequence[tuple[Segments, Mask] | OracleRule]) -> bytes:
    """The document as masking by these rules must leave it."""
    return build(_document(parse(raw), [OracleRule(*rule) for rule in rules], ()))


def matches(path: Segments, keys: Sequence[bytes]) -> bool:
    """Whether a rule's path is the path of these keys."""
    if not path:
        return not keys
    if path[0] is Wildcard.ANY_DEPTH:
        return matches(path[1:], keys) or (bool(keys) and matches(path, keys[1:]))
    return bool(keys) and _is_key(path[0], keys[0]) and matches(path[1:], keys[1:])


def matches_deeper(path: Segments, keys: Sequence[bytes]) -> bool:
    """Whether a rule's path is the path of some value below these keys."""
    if not path:
        return False
    if not keys:
        return True
    if path[0] is Wildcard.ANY_DEPTH:
        return matches_deeper(path[1:], keys) or matches_deeper(path, keys[1:])
    return _is_key(path[0], keys[0]) and matches_deeper(path[1:], keys[1:])


def _is_key(segment: str | Wildcard, key: bytes) -> bool:
    return segment is Wildcard.ANY_KEY or (isinstance(segment, str) and segment.encode() == key)


def winner(rules: Sequence[OracleRule], keys: Sequence[bytes]) -> int | None:
    """The place of the last rule that covers the value at these keys; None where none does."""
    if keys[0] == b"_id":
        return None
    covering = [
        place
        for place, rule in enumerate(rules)
        if any(matches(rule.path, keys[:length]) for length in range(len(keys) + 1))
    ]
    return covering[-1] if covering else None


def _document(nodes: Sequence[Node], rules: Sequence[OracleRule], keys: tuple[bytes, ...]) -> list[Node]:
    masked: list[Node] = []
    for bson_type, key, value in nodes:
        inner = (*keys, key)
        result = _value(bson_type, value, rules, inner, winner(rules, inner))
        if result is not None:
            masked.append((result[0], key, result[1]))
    return masked


def _array(nodes: Sequence[Node], rules: Sequence[OracleRule], keys: tuple[bytes, ...]) -> list[Node]:
    masked: list[Node] = []
    place = winner(rules, keys)
    for bson_type, index, value in nodes:
        result = _value(bson_type, value, rules, keys, place)
        masked.append((0x0A, index, b"") if result is None else (result[0], index, result[1]))
    return masked


def _value(
    bson_type: int,
    value: bytes | list[Node],
    rules: Sequence[OracleRule],
    keys: tuple[bytes, ...],
    place: int | None,
) -> tuple[int, bytes | list[Node]] | None:
    """What becomes of a value, whose rule is the one at `place`; None: it is removed."""
    if not isinstance(value, bytes) and not _taken_whole(bson_type, rules, keys, place):
        inside = _document if bson_type == 0x03 else _array
        return bson_type, inside(value, rules, keys)
    if place is None or bson_type in (0x06, 0x0A):
        return bson_type, value
    answer = rules[place].mask(bson_type, value if isinstance(value, bytes) else build(value))
    if answer is REMOVE:
        return None
    assert isinstance(answer, tuple)
    return answer


def _taken_whole(
    bson_type: int, rules: Sequence[OracleRule], keys: tuple[bytes, ...], place: int | None
) -> bool:
    """Whether the winner takes a sub-document or array as one value: no later rule may match inside."""
    if place is None or any(matches_deeper(rule.path, keys) for rule in rules[place + 1 :]):
        return False
    rule = rules[place]
    return rule.removes or (rule.containers and bson_type == 0x03)
