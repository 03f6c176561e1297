"""Masking through a shadow: a fresh collection beside the original, given its indexes and options once it is filled,
and its name once it is verified.

A run that is taken up again finds in the ledger which of this is done. Nothing here touches the original but the
rename, and nothing is dropped but what this made, or an original that nobody wants to keep.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from pymongo.errors import OperationFailure, PyMongoError

from phimask.engine.checking import Checked
from phimask.engine.control import StopSignal
from phimask.engine.swap import Names, NotQuiet
from phimask.engine.writers import Watch, watch_writes
from phimask.errors import Interrupted, StoreError
from phimask.ledger.identities import packed
from phimask.ledger.runs import Runs
from phimask.ledger.swaps import Swap, Swaps
from phimask.planning.namespace import Namespace
from phimask.planning.plan import CollectionPlan
from phimask.planning.preflight import gone
from phimask.planning.shadow import ShadowPlan
from phimask.plugins.values import Finding
from phimask.store.connect import Client
from phimask.store.definition import (
    Definition,
    create_bare,
    differences,
    judge_documents,
    read_definition,
)
from phimask.store.indexes import build_indexes
from phimask.store.retry import error_name, terminal_error
from phimask.store.source import CollectionSource

CHECK: Final = "shadow"
"""What the check of a shadow's own is called in the report."""

_DUPLICATE_KEY: Final = 11000
_LOOK_SECONDS: Final = 0.2
_MARK_SECONDS: Final = 10.0


class Shadow:
    """One collection's, as long as a run works on it."""

    def __init__(
        self, plan: CollectionPlan, shadow: ShadowPlan, runs: Runs, run: str, stop: StopSignal
    ) -> None:
        self._plan = plan
        self._shadow = shadow
        self._source = plan.source
        self._runs = runs
        self._run = run
        self._stop = stop
        self._swaps = Swaps(runs.ledger, run)
        self._swap = self._swaps.of(plan.namespace)
        self._watch: Watch | None = None
        self._marked = time.monotonic()

    @property
    def swapped(self) -> bool:
        """Whether it has the name."""
        return self._swap is not None and self._swap.step == "swapped"

    @property
    def results(self) -> list[Checked]:
        """What verification came to before it was swapped in."""
        verified = () if self._swap is None else self._swap.verified
        return [Checked(name, "after", checked, ()) for name, checked in verified]

    def entry(self) -> dict[str, str | None]:
        """Its part of the report."""
        swap = self._swap
        if swap is None or swap.step != "swapped":
            return {"state": "left", "original": self._plan.namespace}
        return {"state": "swapped", "original": f"{swap.database}.{swap.kept}" if swap.keep else None}

    def begin(self) -> None:
        """Be ready to be filled. From here on nobody else may write to the original."""
        try:
            swap = self._swap
            if swap is None:
                self._watch = watch_writes(self._source)
                self._begin_where_it_is_watched()
                swap = self._enter(self._watch)
            else:
                self._watch = watch_writes(self._source, swap.watch)
                self._refuse_trouble()
            self._swap = self._made(swap)
        except PyMongoError as error:
            raise terminal_error(error, f"preparing the shadow of {self._source}") from None

    def _begin_where_it_is_watched(self) -> None:
        """What was inserted between the plan and the watch is the run's, too: nothing of it would be seen later."""
        if self._plan.indexed is not None:
            last = CollectionSource(self._source.raw()).last_id()
            self._plan.indexed.end_at(last)
            self._runs.end_at(self._run, self._plan.namespace, packed(last))

    def _enter(self, watch: Watch) -> Swap:
        swap = Swap(
            namespace=self._plan.namespace,
            shadow=self._shadow.shadow.collection,
            kept=self._shadow.original.collection,
            keep=self._shadow.keep,
            original_uuid=str(self._plan.preflight.uuid),
            watch=watch.mark(),
        )
        self._swaps.enter(swap)
        return swap

    def _made(self, swap: Swap) -> Swap:
        """The shadow is there, and the run has it like the original."""
        if swap.shadow_uuid is None:
            client = self._source.client
            Names(client, swap).drop_shadow()  # of a coordinator that was killed before it could note it
            definition = self._definition()
            self._rehearse(definition, swap)
            uuid = create_bare(client, swap.database, swap.shadow, definition)
            swap = self._swaps.note(swap.namespace, shadow_uuid=uuid)
        lost = gone(self._shadow.shadow, swap.shadow_uuid)
        if lost is not None:
            raise StoreError(f"{lost}; give the run up with `phimask finalize {self._run}`, and mask anew")
        self._runs.take_also(self._run, str(swap.shadow_uuid))
        return swap

    def _rehearse(self, definition: Definition, swap: Swap) -> None:
        """Find out before hours of filling whether all that the original has can be made again: empty, it takes
        a moment."""
        where = self._source.client, swap.database, swap.shadow
        try:
            create_bare(*where, definition)
            build_indexes(*where, definition.indexes.values())
            judge_documents(*where, definition)
            unlike = self._unlike(definition, self._shadow.shadow)
        except OperationFailure as error:
            unlike = [error_name(error)]
        self._source.client[swap.database].drop_collection(swap.shadow)
        if unlike:
            raise StoreError(
                f"{self._source}: a shadow cannot be given all that it has ({', '.join(unlike)}); mask it in place "
                "(no `target:`)"
            )

    def trouble(self) -> str | None:
        """What has become of the original, or of the name, that ends the run; None: nothing. Raises PyMongo's errors
        that pass."""
        swap = self._swap
        if swap is None:
            return gone(self._source, self._plan.preflight.uuid)
        if swap.step == "swapped":
            return gone(self._source, swap.shadow_uuid)
        if swap.step != "filling":
            return None
        lost = gone(self._source, swap.original_uuid)
        if lost is not None or self._watch is None:
            return lost
        said = self._watch.look()
        if said is not None:
            return self._not_swapped(said)
        if time.monotonic() - self._marked > _MARK_SECONDS:
            self._marked = time.monotonic()
            self._swaps.note(swap.namespace, watch=self._watch.mark())
        return None

    def _refuse_trouble(self) -> None:
        said = self.trouble()
        if said is not None:
            raise StoreError(said)

    def _not_swapped(self, said: str) -> str:
        return not_swapped(self._plan.namespace, self._run, said)

    def rebuild(self) -> list[Checked]:
        """Once it is filled: its indexes, all but those that delete documents, and its validator.

        What comes back says whether it then is like the original. Raises Interrupted at a stop.
        """
        definition = self._definition()
        where = self._source.client, self._source.database, self._shadow.shadow.collection
        wanted = [name for name in definition.indexes if name not in definition.expiring]
        self._build(definition, wanted)
        findings: list[Finding] = []
        try:
            judge_documents(*where, definition)
            refused = self._refused(definition)
        except PyMongoError as error:
            raise terminal_error(error, f"giving {self._shadow.shadow} its validator") from None
        if refused > 0:
            findings.append(
                Finding("documents that the validator refuses once they are masked", None, refused)
            )
        return [Checked(CHECK, "after", len(definition.indexes) + len(definition.options), tuple(findings))]

    def _build(self, definition: Definition, wanted: Sequence[str]) -> None:
        """The server goes on with it after a stop, and after whoever asked for it is gone."""
        shadow = self._shadow.shadow
        failed: list[PyMongoError] = []

        def build() -> None:
            try:
                specifications = [definition.indexes[name] for name in wanted]
                build_indexes(shadow.client, shadow.database, shadow.collection, specifications)
            except PyMongoError as error:
                failed.append(error)

        building = threading.Thread(target=build, name="phimask-indexes", daemon=True)
        building.start()
        while building.is_alive():
            if self._stop.stopping:
                raise Interrupted("stopped while the shadow's indexes were built")
            building.join(_LOOK_SECONDS)
        if failed and getattr(failed[0], "code", None) == _DUPLICATE_KEY:
            raise StoreError(
                f"{self._source}: a unique index cannot be built over the masked values, of which some are the same; "
                f"its shadow is not swapped in. End the run with `phimask finalize {self._run}`, and use an injective "
                "masker, or drop the index first"
            )
        if failed:
            raise terminal_error(failed[0], f"building the indexes of {shadow}")

    def _refused(self, definition: Definition) -> int:
        """How many more documents of the shadow than of the original its validator would refuse."""
        validation = definition.validation
        if "validator" not in validation or "off" in validation.values() or "warn" in validation.values():
            return 0
        refused = {"$nor": [validation["validator"]]}
        original, shadow = self._source.raw(), self._shadow.shadow.raw()
        return int(shadow.count_documents(refused)) - int(original.count_documents(refused))

    def swap(self, verified: Sequence[Checked], still_mine: Callable[[], None]) -> None:
        """Give it the name, all being verified. Raises StoreError where anything changed since the run began."""
        swap, watch = self._swap, self._watch
        assert swap is not None  # noqa: S101  (for the type checker)
        assert watch is not None  # noqa: S101
        definition = self._definition()
        self._build(definition, list(definition.indexes))
        try:
            unlike = self._unlike(definition, self._shadow.shadow)
            if unlike:
                raise StoreError(self._not_swapped(f"its shadow is not like it now ({', '.join(unlike)})"))
            watch.expect_rename()
            self._refuse_trouble()
            still_mine()
            self._swap = swap = self._swaps.note(
                swap.namespace,
                step="swapping",
                watch=watch.mark(),
                verified=[{"validator": one.validator, "checked": one.checked} for one in verified],
            )
            self._swap = swapped_in(self._source.client, self._runs, self._swaps, swap, watch)
        except NotQuiet as error:
            raise StoreError(self._not_swapped(str(error))) from None
        except PyMongoError as error:
            raise terminal_error(error, f"swapping in the shadow of {self._source}") from None

    def close(self) -> None:
        """Nothing more is looked for."""
        if self._watch is not None:
            self._watch.close()

    def _definition(self) -> Definition:
        found = read_definition(self._source.client, self._source.database, self._source.collection)
        if found is None:
            raise StoreError(f"{self._source} was dropped or renamed while it was masked")
        return found

    @staticmethod
    def _unlike(definition: Definition, shadow: Namespace) -> list[str]:
        found = read_definition(shadow.client, shadow.database, shadow.collection)
        return ["all"] if found is None else differences(definition, found)


def not_swapped(namespace: str, run: str, said: str) -> str:
    """Why the original has its name still, and what to do."""
    return (
        f"{namespace}: {said}; its shadow is not swapped in, and the original is as it was. End the run with `phimask "
        f"finalize {run}`, which drops the shadow, and mask anew while nobody writes, or in place"
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
        names = Names(client, swap)
        if swap.step == "swapped" and not swap.keep:
            names.drop_kept()
        if swap.step != "swapping":
            continue
        if names.standing() == "before":
            swaps.note(swap.namespace, step="filling")  # what came after the last look is looked for anew
            continue
        database, _, name = swap.namespace.partition(".")
        with contextlib.closing(watch_writes(Namespace(client, database, name), swap.watch)) as watch:
            try:
                swapped_in(client, runs, swaps, swap, watch)
            except NotQuiet as error:
                raise StoreError(not_swapped(swap.namespace, run, str(error))) from None
