"""What is known of a document's originals elsewhere: what other documents would repeat of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Final

from phimask.compiled import originals as compiled
from phimask_plugins.validators.own import CONTAINERS, INTEGERS, LONGEST_ORIGINAL, originals
from phimask_plugins.validators.parts import Masked
from phimask_plugins.validators.walk import STRING
from phimask_plugins.validators.words import Names, is_naming, known_among, pairs, text_of

_KEY: Final = itemgetter(5)
_OLD: Final = itemgetter(2)
_MOST_SEEN: Final = 50_000
_MOST_KEYS: Final = 4096
_MOST_TOGETHER: Final = 8


def known(masked: Iterable[Masked]) -> Iterator[str]:
    """Of values that tell something by themselves, and of names that stand together."""
    names = Names[int]()
    for one, text, joined in originals(masked):
        if joined is not None:
            yield joined
        else:
            names.take(one.group, one.key, text)
    for _, some in names.together():
        yield from pairs(some)


class Unmet:
    """Leaves out what was met lately: most values of most documents need no further look."""

    def __init__(self) -> None:
        self._seen: set[bytes] = set()
        self._seen_together: set[tuple[bytes, ...]] = set()
        self._naming: dict[bytes, bool] = {}

    def known(self, masked: list[Masked]) -> set[bytes]:
        """The same as `known`, but for that."""
        for seen in (self._seen, self._seen_together):
            if len(seen) > _MOST_SEEN:
                seen.clear()
        if len(self._naming) > _MOST_KEYS:
            self._naming.clear()
        taken = None if compiled is None else compiled.known(masked, self._seen, self._naming, is_naming)
        found, texts, together = self._taken(masked) if taken is None else taken
        found.update(known_among(texts))
        found.update(map(str.encode, self._pairs(together)))
        return found

    def _taken(self, masked: Sequence[Masked]) -> tuple[set[bytes], list[bytes], list[list[Masked]]]:
        """What is known already; texts that are to be looked at; and names that stand together."""
        if not CONTAINERS.isdisjoint([one[1] for one in masked]):
            return {joined.encode() for joined in known(masked)}, [], []
        texts = [one for one in masked if one[1] == STRING and len(one[2]) <= LONGEST_ORIGINAL]
        new = set(map(_OLD, texts)).difference(self._seen)
        self._seen |= new
        found = {joined.encode() for joined in known([one for one in masked if one[1] in INTEGERS])}
        return found, [old[4:-1] for old in new], self._together(texts)

    def _together(self, texts: Sequence[Masked]) -> list[list[Masked]]:
        naming = self._naming
        for key in set(map(_KEY, texts)).difference(naming):
            naming[key] = is_naming(key)
        groups: dict[int, list[Masked]] = {}
        for one in texts:
            if naming[one[5]]:
                groups.setdefault(one[6], []).append(one)
        return [some for some in groups.values() if len(some) > 1]

    def _pairs(self, groups: Sequence[Sequence[Masked]]) -> Iterator[str]:
        seen = self._seen_together
        for some in groups:
            names = tuple([one[2] for one in some])
            if names in seen:
                continue
            if len(some) <= _MOST_TOGETHER:
                seen.add(names)
            together = Names[int]()
            for one in some:
                together.take(0, one.key, text_of(one.kind, one.old) or "")
            for _, people in together.together():
                yield from pairs(people)
