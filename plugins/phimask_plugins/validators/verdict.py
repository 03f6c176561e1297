"""What a masked value may look like, given what it was: the one judgement that both walks share."""

from __future__ import annotations

from phimask import RuleFacts
from phimask_plugins.validators.matcher import State
from phimask_plugins.validators.walk import OBJECT, STRING, blank

_EMPTY_STRING = b"\x01\0\0\0\0"
_EMPTY_DOCUMENT = b"\x05\0\0\0\0"


def type_fits(state: State, kind: int, value: bytes, new_kind: int, new: bytes, *, in_array: bool) -> bool:
    """Whether a value masked at `state` may have become one of type `new_kind`."""
    return new_kind in state.allowed(kind, in_array=in_array) or (new_kind, new) == blank(kind, value)


def still_original(state: State, kind: int, value: bytes, new_kind: int, new: bytes) -> bool:
    """Whether the value is what it was although its rule's masker would have changed it.

    An empty value has nothing to hide, and a blank tells nothing: a `false` that no masker took is `false`. Where
    a masker changes some values only, it is asked whether this one may stay.
    """
    rule = state.rule
    if new_kind != kind or new != value or rule is None or not judges_originals(rule):
        return False
    if (kind == STRING and value == _EMPTY_STRING) or (kind == OBJECT and value == _EMPTY_DOCUMENT):
        return False
    if blank(kind, value) == (kind, value):
        return False
    return rule.stays is None or not rule.stays(kind, value)


def judges_originals(rule: RuleFacts) -> bool:
    """Whether a value under the rule that stayed the same can be an original left behind."""
    return rule.changes == "always" or (rule.changes == "maybe" and rule.stays is not None)
