"""Masking through a shadow: a fresh collection beside the original, given its indexes and options once it is filled,
and its name once it is verified.

A run that is taken up again finds in the ledger which of this is done. Nothing here touches the original but the
rename, and nothing is dropped but what this made, or an original that nobody wants to keep.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any, Final

from pymongo.errors import PyMongoError

from phimask.config.model import Retry
from phimask.engine.catching_up import CHECK, CatchingUp, Verify
from phimask.engine.checking import Checked
from phimask.engine.closing import judged_before
from phimask.engine.control import StopSignal
from phimask.engine.handing_over import lost_writes, settle_caught_up
from phimask.engine.rebuilding import Rebuilding
from phimask.engine.swap import Names, NotQuiet
from phimask.engine.writers import Watch, watch_writes
from phimask.errors import SafeStop, StoreError
from phimask.ledger.identities import packed
from phimask.ledger.runs import Runs, Superseded
from phimask.ledger.swaps import Swap, Swaps
from phimask.observing.tally import Tally
from phimask.planning.namespace import Namespace
from phimask.planning.plan import CollectionPlan
from phimask.planning.preflight import gone
from phimask.planning.shadow import ShadowPlan
from phimask.plugins.values import Finding
from phimask.store.connect import Client
from phimask.store.definition import create_bare
from phimask.store.retry import terminal_error
from phimask.store.source import CollectionSource

_MARK_SECONDS: Final = 10.0


class Shadow:
    """One collection's, as long as a run works on it, by the coordinator of this `epoch`."""

    def __init__(
        self,
        plan: CollectionPlan,
        shadow: ShadowPlan,
        runs: Runs,
        run: str,
        epoch: int,
        stop: StopSignal,
        retry: Retry,
    ) -> None:
        self._plan = plan
        self._shadow = shadow
        self._source = plan.source
        self._runs = runs
        self._run = run
        self._swaps = Swaps(runs.ledger, run)
        self._known = self._swaps.of(plan.namespace)
        self._rebuilding = Rebuilding(plan.source, run, stop)
        self._watch: Watch | None = None
        self._catching: CatchingUp | None = None
        if shadow.catch_up:
            self._catching = CatchingUp(plan, runs, run, epoch, stop, retry)
        self._marked = time.monotonic()

    @property
    def _swap(self) -> Swap | None:
        return (None if self._catching is None else self._catching.swap) or self._known

    @property
    def swapped(self) -> bool:
        """Whether it has the name."""
        return self._swap is not None and self._swap.step == "swapped"

    @property
    def lost(self) -> list[Checked]:
        """Writes to the original that are not in the shadow, which has the name."""
        findings = () if self._swap is None else lost_writes(self._swap)
        return [Checked(CHECK, "after", 0, findings)] if findings else []

    @property
    def results(self) -> list[Checked]:
        """What verification came to before it was swapped in."""
        verified = () if self._swap is None else self._swap.verified
        return [Checked(name, "after", checked, ()) for name, checked in verified]

    @property
    def caught_up(self) -> Tally:
        """What was counted of values in documents that others changed, and that were masked after them."""
        return Tally() if self._swap is None else Tally.of(self._swap.caught)

    def entry(self) -> dict[str, Any]:
        """Its part of the report."""
        swap = self._swap
        if swap is None or swap.step != "swapped":
            entry: dict[str, Any] = {"state": "left", "original": self._plan.namespace}
        else:
            entry = {"state": "swapped", "original": f"{swap.database}.{swap.kept}" if swap.keep else None}
        if swap is not None and swap.catch_up:
            entry |= {"caught_up": swap.changed, "closed_seconds": swap.closed_seconds}
        return entry

    def begin(self) -> None:
        """Be ready to be filled. From here on it is known who else writes to the original."""
        try:
            swap = self._swap
            if swap is not None:
                self._refuse_another_way(swap)
            mark = self._begin_watch(swap)
            if swap is None:
                self._begin_where_it_is_watched()
                swap = self._enter(mark)
            elif self._catching is None:
                self._refuse_trouble()
            self._known = swap = self._made(swap)
            if self._catching is not None:
                self._catching.begin(swap)
        except PyMongoError as error:
            raise terminal_error(error, f"preparing the shadow of {self._source}") from None

    def _refuse_another_way(self, swap: Swap) -> None:
        if swap.catch_up != self._shadow.catch_up:
            was = "with" if swap.catch_up else "without"
            raise StoreError(
                f"{self._source}: run {self._run} began {was} target.shadow.catch_up; write it as it was to go on"
            )

    def _begin_watch(self, swap: Swap | None) -> dict[str, Any]:
        if self._catching is not None:
            return dict(self._catching.follow(swap))
        self._watch = watch_writes(self._source, None if swap is None else swap.watch)
        return self._watch.mark()

    def _begin_where_it_is_watched(self) -> None:
        """What was inserted between the plan and the watch is the run's, too: nothing of it would be seen later."""
        if self._plan.indexed is not None:
            last = CollectionSource(self._source.raw()).last_id()
            self._plan.indexed.end_at(last)
            self._runs.end_at(self._run, self._plan.namespace, packed(last))

    def _enter(self, mark: dict[str, Any]) -> Swap:
        swap = Swap(
            namespace=self._plan.namespace,
            shadow=self._shadow.shadow.collection,
            kept=self._shadow.original.collection,
            keep=self._shadow.keep,
            original_uuid=str(self._plan.preflight.uuid),
            watch=mark,
            catch_up=self._shadow.catch_up,
        )
        self._swaps.enter(swap)
        return swap

    def _made(self, swap: Swap) -> Swap:
        """The shadow is there, and the run has it like the original."""
        client = self._source.client
        if swap.shadow_uuid is None:
            Names(client, swap).drop_shadow()  # of a coordinator that was killed before it could note it
            definition = self._rebuilding.definition()
            judged_before(definition)
            self._rebuilding.rehearse(definition, self._shadow.shadow)
            uuid = create_bare(client, swap.database, swap.shadow, definition)
            swap = self._swaps.note(swap.namespace, shadow_uuid=uuid)
        lost = Names(client, swap).lost()
        if lost is not None:
            raise StoreError(f"{lost}; give the run up with `phimask finalize {self._run}`, and mask anew")
        self._runs.claims.take_also(self._run, str(swap.shadow_uuid))
        return swap

    def trouble(self) -> str | None:
        """What has become of the original, or of the name, that ends the run; None: nothing. Raises PyMongo's errors
        that pass."""
        swap = self._swap
        if swap is None:
            return gone(self._source, self._plan.preflight.uuid)
        if swap.step == "swapped":
            return gone(self._source, swap.shadow_uuid)
        if swap.step not in ("filling", "closing"):
            return None
        lost = gone(self._source, swap.original_uuid)
        if self._swap is not swap:
            return None  # it was swapped in meanwhile
        if self._catching is not None:
            said = self._catching.said
            return lost if lost is not None or said is None else self._not_swapped(said)
        if lost is not None or self._watch is None:
            return lost
        said = self._watch.look()
        if said is not None:
            return self._not_swapped(said, QUIETLY)
        if time.monotonic() - self._marked > _MARK_SECONDS:
            self._marked = time.monotonic()
            self._swaps.note(swap.namespace, watch=self._watch.mark())
        return None

    def _refuse_trouble(self) -> None:
        said = self.trouble()
        if said is not None:
            raise StoreError(said)

    def _not_swapped(self, said: str, how: str = "") -> str:
        return not_swapped(self._plan.namespace, self._run, said, how)

    def bring_in(
        self, verify: Verify, still_mine: Callable[[], None], during: Sequence[Checked]
    ) -> list[Checked]:
        """Once it is filled: give it all that its original has, verify it, and give it the name, unless something is
        found, or was found `during` the fill. What verification came to.

        Raises Interrupted at a stop, and StoreError where anything changed that may not have.
        """
        sound = not any(one.findings for one in during)
        try:
            if self._catching is not None:
                return self._catching.bring_in(verify, still_mine, sound=sound)
            results = self._rebuild() + verify(self._shadow.shadow, None)
            if sound and not any(one.findings for one in results):
                self._give_name(results, still_mine)
            return results
        except Superseded:
            raise SafeStop(
                f"run {self._run} was taken up by another coordinator; this one has let go"
            ) from None
        except NotQuiet as error:
            raise StoreError(self._not_swapped(str(error), QUIETLY)) from None
        except PyMongoError as error:
            raise terminal_error(error, f"swapping in the shadow of {self._source}") from None

    def _rebuild(self) -> list[Checked]:
        """Its indexes, all but those that delete documents, and its validator; whether it then is like the original."""
        definition = self._rebuilding.definition()
        wanted = [name for name in definition.indexes if name not in definition.expiring]
        self._rebuilding.build(definition, self._shadow.shadow, wanted)
        refused = self._rebuilding.judge(definition, self._shadow.shadow)
        findings: list[Finding] = []
        if refused > 0:
            findings.append(
                Finding("documents that the validator refuses once they are masked", None, refused)
            )
        return [Checked(CHECK, "after", len(definition.indexes) + len(definition.options), tuple(findings))]

    def _give_name(self, verified: Sequence[Checked], still_mine: Callable[[], None]) -> None:
        """All is verified. Raises StoreError where anything changed since the run began."""
        swap, watch = self._known, self._watch
        assert swap is not None  # noqa: S101  (for the type checker)
        assert watch is not None  # noqa: S101
        definition = self._rebuilding.definition()
        self._rebuilding.build(definition, self._shadow.shadow, list(definition.indexes))
        unlike = self._rebuilding.unlike(definition, self._shadow.shadow)
        if unlike:
            raise StoreError(self._not_swapped(f"its shadow is not like it now ({', '.join(unlike)})"))
        watch.expect_rename()
        self._refuse_trouble()
        still_mine()
        self._known = swap = self._swaps.note(
            swap.namespace,
            step="swapping",
            watch=watch.mark(),
            verified=[{"validator": one.validator, "checked": one.checked} for one in verified],
        )
        self._known = swapped_in(self._source.client, self._runs, self._swaps, swap, watch)

    def close(self) -> None:
        """Nothing more is looked for."""
        if self._watch is not None:
            self._watch.close()
        if self._catching is not None:
            self._catching.close()


QUIETLY: Final = (
    " while nobody writes, by a shadow that catches up with them (target.shadow.catch_up), or in place"
)


def not_swapped(namespace: str, run: str, said: str, how: str = "") -> str:
    """Why the original has its name still, what to do, and how to do it."""
    return (
        f"{namespace}: {said}; its shadow is not swapped in, and the original is as it was. End the run with `phimask "
        f"finalize {run}`, which drops the shadow, and mask anew{how}"
    )


def swapped_in(client: Client, runs: Runs, swaps: Swaps, swap: Swap, watch: Watch) -> Swap:
    """Finish a swap, wherever it stands, and note it. Raises NotQuiet; then the original has its name, and the run is
    as before the swap."""
    names = Names(client, swap)
    try:
        names.forward(watch)
    except NotQuiet:
        swaps.note(swap.namespace, step="filling")
        raise
    runs.adopt(swaps.run, swap.namespace, str(swap.shadow_uuid))
    swap = swaps.note(swap.namespace, step="swapped")
    if not swap.keep:
        names.drop_kept()
    return swap


def settle(client: Client, runs: Runs, run: str) -> None:
    """Before a run is taken up again: what a coordinator died in the middle of is finished, or undone.

    Raises StoreError where the original was written to, and has its name again.
    """
    swaps = Swaps(runs.ledger, run)
    for swap in swaps.all():
        if swap.catch_up:
            settle_caught_up(client, runs, swaps, swap)
            continue
        names = Names(client, swap)
        if swap.step == "swapped" and not swap.keep:
            names.drop_kept()
        if swap.step != "swapping":
            continue
        if names.standing() == "before":
            swaps.note(swap.namespace, step="filling")  # what came after the last look is looked for anew
            continue
        database, _, name = swap.namespace.partition(".")
        with closing(watch_writes(Namespace(client, database, name), swap.watch)) as watch:
            try:
                swapped_in(client, runs, swaps, swap, watch)
            except NotQuiet as error:
                raise StoreError(not_swapped(swap.namespace, run, str(error), QUIETLY)) from None
