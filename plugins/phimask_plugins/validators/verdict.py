"""What a masked value may look like, given what it was: the one judgement that both walks share."""

from __future__ import annotations

from phimask_plugins.validators.matcher import State
from phimask_plugins.validators.walk import OBJECT, STRING, blank

_EMPTY_STRING = b"\x01\0\0\0\0"
_EMPTY_DOCUMENT = b"\x05\0\0\0\0"


def type_fits(state: State, kind: int, value: bytes, new_kind: int, new: bytes, *, in_array: bool) -> bool:
    """Whether a value masked at `state` may have become one of type `new_kind`."""
    return new_kind in state.allowed(kind, in_array=in_array) or (new_kind, new) == blank(kind, value)


def still_original(state: State, kind: int, value: bytes, new_kind: int, new: bytes) -> bool:
    """Whether the value is what it was although its rule's masker always changes values.

    An empty value has nothing to hide, and a blank tells nothing: a `false` that no masker took is `false`.
    """
    if new_kind != kind or new != value or state.rule is None or state.rule.changes != "always":
        return False
    if (kind == STRING and value == _EMPTY_STRING) or (kind == OBJECT and value == _EMPTY_DOCUMENT):
        return False
    return blank(kind, value) != (kind, value)
