"""A shadow catches up with those who write to its original, and takes its place without a moment in which nothing has
the name.

What they change is followed from before the first document is read, and masked into the shadow once it is filled, round
after round, until little is left; so is its verification. Then the original is closed to writes, what is left is masked
and verified, and one rename puts the shadow in its place. Deletes that came in between are done again after it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeAlias

from phimask.config.model import Retry
from phimask.engine.caught_up import CaughtUp
from phimask.engine.checking import Checked, added_up
from phimask.engine.closing import close, judged_before, reopen
from phimask.engine.control import StopSignal
from phimask.engine.following import Following, now
from phimask.engine.handing_over import finish
from phimask.engine.rebuilding import Rebuilding
from phimask.engine.swap import Names
from phimask.engine.verification import Look
from phimask.errors import Interrupted, StoreError
from phimask.ledger.changes import Changes, Pieces
from phimask.ledger.quarantine import Quarantine
from phimask.ledger.runs import Runs
from phimask.ledger.swaps import Swap, Swaps
from phimask.observing.tally import Tally
from phimask.planning.namespace import Namespace
from phimask.planning.plan import CollectionPlan
from phimask.plugins.values import Finding
from phimask.store.definition import Definition
from phimask.store.reading import projected_documents
from phimask.store.retry import retrying
from phimask.store.source import CollectionSource

CHECK: Final = "shadow"
"""What the check of a shadow's own is called in the report."""

Verify: TypeAlias = Callable[[Namespace, Look | None], list[Checked]]
"""Verify a shadow against its original: in one of several looks, or all at once."""

_AT_ONCE: Final = 500
_LITTLE: Final = 100
"""So few documents are left for the moment in which nobody can write."""
_ROUNDS: Final = 50
"""So often it is tried to get there; by then others write faster than one process masks."""
_CLOSED_SECONDS: Final = 30.0
"""So long the change stream may lag while nobody can write."""
_ATTEMPTS: Final = 10
_EPOCH_BITS: Final = 40
"""A coordinator's numbers are all greater than those of the one before, which may not know yet that it is none."""


class CatchingUp:
    """One collection's, for the coordinator of this `epoch`."""

    def __init__(
        self,
        plan: CollectionPlan,
        runs: Runs,
        run: str,
        epoch: int,
        stop: StopSignal,
        retry: Retry,
    ) -> None:
        self._plan = plan
        self._source = plan.source
        self._runs = runs
        self._epoch = epoch
        self._stop = stop
        self._swaps = Swaps(runs.ledger, run)
        self._changes = Changes(runs.ledger, run, plan.namespace)
        self._caught_up = CaughtUp(plan, Quarantine(runs.ledger, run, plan.namespace))
        self._rebuilding = Rebuilding(plan.source, run, stop)
        self._retry = retry
        self._retrying = retrying(retry, lambda *_: None, lambda: stop.stopping)
        self._position = 0
        self._following: Following | None = None
        self._noting = threading.Lock()
        self.swap: Swap | None = None

    def follow(self, swap: Swap | None) -> Mapping[str, Any]:
        """From now on, or from where a coordinator before had come: what another would go on from.

        Raises PyMongo's errors.
        """
        self._changes.begin()
        mark = None if swap is None else swap.watch
        if swap is not None:
            self._position, self._caught_up.tally = swap.position, Tally.of(swap.caught)
        first = self._epoch << _EPOCH_BITS
        self._following = Following(self._source, self._changes, first, mark, self._note_mark)
        return self._following.mark

    def begin(self, swap: Swap) -> None:
        """The shadow is entered, and what is followed may be noted."""
        self.swap = swap
        assert self._following is not None  # noqa: S101  (for the type checker)
        self._following.begin()

    @property
    def said(self) -> str | None:
        """Why the original cannot be followed; None: it is."""
        return None if self._following is None else self._following.said

    @property
    def tally(self) -> Tally:
        """What was counted of values in documents that were caught up."""
        return self._caught_up.tally

    @property
    def documents(self) -> int:
        """How many documents others changed so far."""
        return self._changes.count()

    def close(self) -> None:
        """Follow no more."""
        if self._following is not None:
            self._following.close()

    def bring_in(self, verify: Verify, still_mine: Callable[[], None], *, sound: bool) -> list[Checked]:
        """Catch up, verify, and give the shadow the name, unless something is found, or what was masked before is not
        `sound`. What verification came to.

        Raises Interrupted at a stop, StoreError, SafeStop of rules, Superseded, and PyMongo's errors.
        """
        shadow = self._take_in_hand(still_mine)
        self._catch_up()
        definition = self._rebuilding.definition()
        self._rebuilding.build_all(definition, shadow)
        results = [Checked(CHECK, "after", len(definition.indexes) + len(definition.options), self._judged())]
        since = self._catch_up()
        if self._plan.indexed is not None:  # others may have inserted behind the last document of the fill
            self._plan.indexed.end_at(CollectionSource(self._source.raw()).last_id())
        results += self._verified_meanwhile(verify, Look(since))
        while not _findings(results) and (count := self._changes.count(since)) > _LITTLE:
            before, since = since, self._catch_up()
            results += self._verified_meanwhile(
                verify, Look(since, Pieces(self._changes, before, since), count)
            )
        results = added_up([results, self._left_out()])
        if not sound or _findings(results):
            return results
        return self._swapped_in(since, results, verify, still_mine)

    def _take_in_hand(self, still_mine: Callable[[], None]) -> Namespace:
        """From now on nobody else writes to the shadow, whatever they have under way."""
        swap = self._known()
        still_mine()
        name = f"{swap.filled_as}.{self._epoch}"
        with self._noting:  # or the follower would take the new name for another coordinator's
            self.swap = self._swaps.note(swap.namespace, swap.shadow, shadow=name)
        Names(self._source.client, self.swap).name_shadow()
        return Namespace(self._source.client, swap.database, name)

    def _catch_up(self) -> int:
        """Have all changes in the shadow but a few; up to which number they are."""
        for _ in range(_ROUNDS):
            if self._pass() <= _LITTLE:
                return self._position
        raise StoreError(
            f"{self._plan.namespace}: others write to it faster than their changes can be masked; go on with `phimask "
            f"resume {self._swaps.run}` when they write less"
        )

    def _pass(self, *, closed: bool = False) -> int:
        """Have all in the shadow that was changed up to now; how many documents that were."""
        self._wait_for_now(closed=closed)
        following, done = self._follower(), 0
        upto = following.number
        while batch := self._changes.listed(self._position, upto, _AT_ONCE):
            self._stand_still(closed=closed)
            self._retrying(self._caught_up.put, [one for one, _, _ in batch], self._shadow())
            self._position = batch[-1][1]
            done += len(batch)
        if done:
            self._note(position=self._position, caught=self._caught_up.tally.document())
        return done

    def _wait_for_now(self, *, closed: bool = False) -> None:
        moment = self._retrying(now, self._source.client)
        self._follower().wait_for(moment, lambda: self._stop.stopping, _CLOSED_SECONDS if closed else None)

    def _stand_still(self, *, closed: bool) -> None:
        """At a stop, and while the run is to stand still, which it may not where nobody else can write."""
        while not self._stop.stopping and self._stop.holding and not closed:
            self._stop.wait(0.2)
        if self._stop.stopping:
            raise Interrupted("stopped while its shadow was caught up")

    def _judged(self) -> tuple[Finding, ...]:
        """What the validator would refuse; looked at again where others may have written in between."""
        for _ in range(_ATTEMPTS):
            refused = self._rebuilding.judge(self._rebuilding.definition(), self._shadow())
            if refused <= 0:
                return ()
            self._catch_up()
        return (Finding("documents that the validator refuses once they are masked", None, refused),)

    def _left_out(self) -> list[Checked]:
        count = self._caught_up.left_out()
        left_out = Finding("documents that others wrote, left out (quarantined)", None, count)
        return [Checked(CHECK, "after", count, (left_out,))] if count else []

    def _verified_meanwhile(self, verify: Verify, look: Look) -> list[Checked]:
        self._stand_still(closed=False)
        self._follower().brisk = True
        try:
            return verify(self._shadow(), look)
        finally:
            self._follower().brisk = False

    def _swapped_in(
        self,
        since: int,
        before: Sequence[Checked],
        verify: Verify,
        still_mine: Callable[[], None],
    ) -> list[Checked]:
        """The moment in which nobody else writes. `since`: what was changed after that is not verified yet; `before`:
        what verification came to so far. What it comes to in the end."""
        client, shadow = self._source.client, self._shadow()
        self._stand_still(closed=False)
        definition = self._rebuilding.definition()
        closed = judged_before(definition)
        still_mine()
        began = time.monotonic()
        self._note(step="closing", closed=closed)
        try:
            moment = close(client, self._swaps, self._known())
            self._follower().wait_for(moment, lambda: self._stop.stopping, _CLOSED_SECONDS)
            results = added_up([before, self._verified(since, verify), self._alike(definition, shadow)])
            if _findings(results):
                return results
            still_mine()
            self._follower().expect_rename(now(client))
            with self._noting:
                self._note(
                    step="swapping",
                    watch=self._follower().mark,
                    position=self._position,
                    verified=[{"validator": one.validator, "checked": one.checked} for one in results],
                )
            Names(client, self._known()).over()
            self._note(closed_seconds=round(time.monotonic() - began, 3))
        finally:
            if self._known().step == "closing" or self._is_before():
                self.swap = reopen(client, self._swaps, self._known())
        self.swap = finish(client, self._runs, self._swaps, self._known(), self._follower())
        return results

    def _is_before(self) -> bool:
        swap = self._known()
        return swap.step == "swapping" and Names(self._source.client, swap).standing() == "before"

    def _verified(self, since: int, verify: Verify) -> list[Checked]:
        """All that is not verified yet, until nothing but deletes has come meanwhile."""
        for _ in range(_ATTEMPTS):
            self._pass(closed=True)
            upto = self._position
            look = Look(
                None,
                Pieces(self._changes, since, upto),
                self._changes.count(since),
                partial(self._deleted, upto),
            )
            results = verify(self._shadow(), look) + self._left_out()
            self._pass(closed=True)
            if self._changes.count(upto) == self._changes.count(upto, "delete"):
                return results
        raise StoreError(
            f"{self._plan.namespace}: somebody goes on writing to it past its validator (bypassDocumentValidation)"
        )

    def _deleted(self, since: int) -> int:
        """How many documents the shadow has still that others have deleted. A document that was taken into it after
        this number may have been gone by then."""
        self._wait_for_now(closed=True)
        gone_since = Pieces(self._changes, since, None, "delete")
        target = self._shadow().raw()
        return sum(len(projected_documents(target, some, {"_id": 1})) for some in gone_since)

    def _alike(self, definition: Definition, shadow: Namespace) -> list[Checked]:
        self._rebuilding.let_expire(definition, shadow)
        unlike = self._rebuilding.unlike(definition, shadow)
        # An index that somebody made or dropped meanwhile is in none of them.
        unlike += [one for one in self._rebuilding.changed(definition) if one not in unlike]
        findings = tuple(Finding(f"its shadow is not like it now ({one})") for one in unlike)
        return [Checked(CHECK, "after", 0, findings)] if findings else []

    def _note_mark(self, mark: Mapping[str, Any]) -> None:
        with self._noting:
            swap = self._known()
            if swap.step in ("filling", "closing"):
                self._swaps.note(swap.namespace, swap.shadow, watch=mark)

    def _note(self, **fields: Any) -> None:
        swap = self._known()
        self.swap = self._swaps.note(swap.namespace, swap.shadow, **fields)

    def _known(self) -> Swap:
        assert self.swap is not None  # noqa: S101  (for the type checker)
        return self.swap

    def _follower(self) -> Following:
        assert self._following is not None  # noqa: S101  (for the type checker)
        return self._following

    def _shadow(self) -> Namespace:
        swap = self._known()
        return Namespace(self._source.client, swap.database, swap.shadow)


def _findings(results: Sequence[Checked]) -> bool:
    return any(one.findings for one in results)
