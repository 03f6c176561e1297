"""HTML and SVG put together element by element, so that nothing can come in unescaped."""

from __future__ import annotations

import html

from phimask.config.wording import plain

_VOID = frozenset({"br", "meta", "col"})


class Markup(str):
    """Text that is markup already; whatever is made of it by a string's own methods is plain text again."""

    __slots__ = ()


def element(tag: str, /, *children: str | None, **attributes: str | float | bool | None) -> Markup:
    """An element. Children that are no Markup are escaped, None is left out.

    An attribute's name has `-` for `_` (`aria_label`), and none at its end (`class_`); True stands for an attribute
    without a value, None and False for none at all.
    """
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    if tag in _VOID:
        return Markup(f"<{tag}{written}>")
    return Markup(f"<{tag}{written}>{joined(*children)}</{tag}>")


def joined(*children: str | None) -> Markup:
    """Children one after the other, escaped as in an element."""
    return Markup("".join(_child(one) for one in children if one is not None))


def _child(one: str) -> str:
    return one if isinstance(one, Markup) else html.escape(plain(one))


def _attribute(key: str, value: str | float | bool | None) -> str:
    name = key.rstrip("_").replace("_", "-")
    if value is None or value is False:
        return ""
    if value is True:
        return f" {name}"
    shown = f"{value:.6g}" if isinstance(value, float) else str(value)
    return f' {name}="{html.escape(plain(shown))}"'
