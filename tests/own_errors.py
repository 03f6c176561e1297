"""Errors as phimask's own code makes them: the text of one that a test makes would be withheld, as a plugin's is."""

from __future__ import annotations

from typing import TypeVar

from phimask.errors import PhimaskError

_Kind = TypeVar("_Kind", bound=PhimaskError)


def own(kind: type[_Kind], *given: object) -> _Kind:
    """One of this kind, made where only phimask's own code is."""
    made: _Kind = eval("kind(*given)", {"__name__": "phimask", "kind": kind, "given": given})
    return made
