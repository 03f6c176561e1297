"""By which way masked values get into documents that are masked in place, and why."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from phimask.config.model import ChosenPath, CollectionFile, Profile
from phimask.errors import MaskingError
from phimask.masking.columns import BoundRule
from phimask.masking.core import MaskingCore
from phimask.masking.fingerprints import FINGERPRINT_BYTES
from phimask.masking.outcomes import Masked, MaskedBatch, Mode, NeedsWhole
from phimask.planning.served import unserved
from phimask.store.raw import identity
from phimask.vault.records import Original, pieces

_DOCUMENTS: Final = 200
_BYTES: Final = 4_000_000
_FIRST: Final = 20
_FIRST_BYTES: Final = 200_000
"""So many of them are masked before the clock is started, and no more once they have so many bytes."""
_NAMED: Final = 3
"""So many rules are named of those that stand in the way for one reason."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a document takes by one way: seconds of CPU to mask it here, bytes sent to the server, which go into its
    oplog, too. `bytes_error`: the standard error of these."""

    seconds: float = 0.0
    bytes: float = 0.0
    bytes_error: float = 0.0


@dataclass(frozen=True, slots=True)
class Measured:
    """What masking some sampled documents showed. `changed`: the share of them in which anything changes;
    `odd`: how many have masked paths that no update can name, or are too large for one. `kept`: bytes a document that
    the undo vault keeps, and their standard error; None: it was not asked."""

    set: Cost = Cost()
    replace: Cost = Cost()
    changed: float = 0.0
    documents: int = 0
    odd: int = 0
    kept: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class PathPlan:
    """The way, why it was chosen, and what was measured; `unserved`: what keeps the server from masking by itself."""

    path: ChosenPath = "set"
    why: str = ""
    measured: Measured = Measured()
    unserved: tuple[str, ...] = ()


class Trial:
    """Lets documents through, keeps the first of them, and masks these in both ways; the results are thrown away.
    `keeping` tells originals, where a vault is to keep them."""

    def __init__(self, masking: MaskingCore | None, keeping: MaskingCore | None = None) -> None:
        self._masking = masking
        self._keeping = keeping
        self.kept: list[bytes] = []
        self._size = 0

    def over(self, documents: Iterator[bytes]) -> Iterator[bytes]:
        """The same documents."""
        for raw in documents:
            if len(self.kept) < _DOCUMENTS and self._size < _BYTES:
                self.kept.append(raw)
                self._size += len(raw)
            yield raw

    def measured(self) -> Measured:
        """Nothing where maskers cannot be tried, or a value fails that is to halt a run: the run will say so."""
        if not self.kept or self._masking is None:
            return Measured()
        try:
            updates, by_set = self._mask("update")
            _, by_replace = self._mask("whole")
            kept = None if self._keeping is None else self._kept(self._keeping)
        except MaskingError:
            return Measured()
        changed = sum(isinstance(one, Masked | NeedsWhole) for one in updates.outcomes)
        odd = sum(isinstance(one, NeedsWhole) for one in updates.outcomes)
        return Measured(by_set, by_replace, changed / len(self.kept), len(self.kept), odd, kept)

    def _mask(self, mode: Mode) -> tuple[MaskedBatch, Cost]:
        assert self._masking is not None  # noqa: S101  (for the type checker)
        before = accumulate(map(len, self.kept), initial=0)
        first = [raw for raw, size in zip(self.kept[:_FIRST], before, strict=False) if size < _FIRST_BYTES]
        self._masking.mask(first, mode)  # builds what is built once
        start = time.perf_counter()
        batch = self._masking.mask(self.kept, mode)
        seconds = time.perf_counter() - start
        sizes = [len(one.bson) if isinstance(one, Masked) else 0 for one in batch.outcomes]
        mean, error = _mean(sizes)
        return batch, Cost(seconds / len(self.kept), mean, error)

    def _kept(self, keeping: MaskingCore) -> tuple[float, float]:
        """By updates, as a run with a vault masks unless it is told otherwise: the values that they change."""
        batch = keeping.mask(self.kept, "update")
        sizes = []
        for raw, outcome, original in zip(self.kept, batch.outcomes, batch.originals, strict=True):
            whole = original is None
            changes = isinstance(outcome, Masked | NeedsWhole)
            record = Original(
                identity(raw), whole, raw if original is None else original, bytes(FINGERPRINT_BYTES)
            )
            sizes.append(sum(map(len, pieces([record]))) if changes else 0)
        return _mean(sizes)


def _mean(sizes: Sequence[int]) -> tuple[float, float]:
    """And its standard error."""
    error = statistics.stdev(sizes) / math.sqrt(len(sizes)) if len(sizes) > 1 else 0.0
    return sum(sizes) / len(sizes), error


def choose_path(
    profile: Profile, file: CollectionFile, rules: Sequence[BoundRule], measured: Measured
) -> PathPlan:
    """The way that the profile names, or under `auto` the one of `set` and `replace` that costs less.

    Never `server` by itself: it cannot count values, and it takes twice the time where documents are such that the
    server cannot mask them exactly.
    """
    obstacles = tuple(unserved(file, rules))
    wanted = profile.write.path
    if wanted != "auto":
        return PathPlan(wanted, f"write.path: {wanted}", measured, obstacles)
    updates, wholes = measured.set.bytes, measured.replace.bytes
    if profile.undo.vault is not None:
        why = "the vault keeps changed values alone by it, and whole documents otherwise"
        return PathPlan("set", why, measured, obstacles)
    if updates > wholes > 0:
        why = f"whole documents take {wholes / 1e3:,.1f} kB a document, and updates of fields {updates / 1e3:,.1f} kB"
        return PathPlan("replace", why, measured, obstacles)
    if not wholes:
        return PathPlan("set", "nothing could be measured", measured, obstacles)
    why = f"it sends and logs {updates / 1e3:,.1f} kB a document, and whole documents would be {wholes / 1e3:,.1f} kB"
    return PathPlan("set", why, measured, obstacles)


def path_hazards(profile: Profile, plan: PathPlan, *, in_place: bool) -> Iterator[str]:
    """What keeps the way that the profile names from being gone, each with what would be right."""
    if profile.write.path == "server":
        if not in_place:
            yield "write.path: server masks in place; leave the target out, or give --set write.path=auto"
        if profile.undo.vault is not None:
            yield (
                "write.path: server does not read the originals that the vault (undo.vault) is to keep; leave out one "
                "of the two"
            )
        for why, paths in _by_reason(plan.unserved).items():
            shown, more = ", ".join(paths[:_NAMED]), len(paths) - _NAMED
            others = f" and {more:,} more" if more > 0 else ""
            yield f"write.path: server cannot mask by {shown}{others}: {why}; give --set write.path=auto"


def _by_reason(unserved: Sequence[str]) -> dict[str, list[str]]:
    """A rule pack has hundreds of rules, which all stand in the way for the same two or three reasons."""
    found: dict[str, list[str]] = {}
    for path, _, why in (one.rpartition(": ") for one in unserved):
        found.setdefault(why, []).append(path)
    return found
