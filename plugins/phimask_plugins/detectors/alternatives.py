"""One expression for many words, which fails at the first character that none of them has.

Python tries the branches of an alternation one after the other; where case is ignored it enters each of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import product
from typing import Any, Final

_END: Final = ""


def any_of(words: Iterable[str]) -> str:
    """Matches the longest of the words that stands at a place. They are taken as they are written."""
    tree: dict[str, Any] = {}
    for word in words:
        branch = tree
        for character in word:
            branch = branch.setdefault(character, {})
        branch[_END] = {}
    return _expression(tree)


def any_case(words: Iterable[str]) -> str:
    """As `any_of`, for words in lower case: as they are, with a capital, with capitals throughout or for each word."""
    return any_of(cases(words))


def cases(words: Iterable[str]) -> frozenset[str]:
    """What `any_case` matches."""
    return frozenset(
        form for word in words for form in (word, word[:1].upper() + word[1:], word.upper(), word.title())
    )


def each_with(*parts: Iterable[str]) -> list[str]:
    """Phrases of one word out of each part; an empty one leaves its part out."""
    return [" ".join(filter(None, words)) for words in product(*parts)]


def _expression(tree: dict[str, Any]) -> str:
    branches = [
        re.escape(character) + _expression(rest)
        for character, rest in sorted(tree.items())
        if character != _END
    ]
    if not branches:
        return ""
    inner = branches[0] if len(branches) == 1 and _END not in tree else f"(?:{'|'.join(branches)})"
    return f"{inner}?" if _END in tree else inner
