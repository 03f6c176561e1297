"""Secondary indexes on masked paths, out of the way while a collection is masked, and back exactly as they were.

What is dropped stands in the ledger before it is dropped. Whoever ends the run, goes on with it, or gives it up, finds
it there.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence

from loguru import logger
from pymongo.errors import PyMongoError

from phimask.errors import StoreError
from phimask.ledger.indexes import KeptIndex, KeptIndexes
from phimask.masking.columns import BoundRule
from phimask.observing.report import ReportBuilder
from phimask.planning.indexes import removable, shard_key
from phimask.planning.namespace import Namespace
from phimask.planning.plan import CollectionPlan
from phimask.planning.preflight import uuid_of
from phimask.store.connect import Client
from phimask.store.indexes import build_indexes, decoded, drop_index, read_indexes
from phimask.store.retry import error_name, terminal_error


def take_away(
    source: Namespace, rules: Sequence[BoundRule], uuid: str | None, kept: KeptIndexes
) -> list[str]:
    """Drop the indexes that masking would have to keep up; their names. Raises StoreError."""
    try:
        there = read_indexes(source.client, source.database, source.collection)
        names = removable(map(decoded, there.values()), rules, shard_key(source))
        for name in names:
            kept.enter(KeptIndex(str(source), uuid, name, there[name]))
        for name in names:
            drop_index(source.client, source.database, source.collection, name)
    except PyMongoError as error:
        raise terminal_error(
            error, f"dropping the indexes of {source} that masking would have to keep up"
        ) from None
    return names


def bring_back(
    client: Client, kept: KeptIndexes, namespace: str | None = None, *, warn: Callable[[str], None]
) -> dict[str, list[str]]:
    """Build what is away again, of one collection or of all; names by namespace. Safe to be called again.

    `warn` is told of a collection that is another one by now, whose indexes are nobody's business any more. Raises
    StoreError, which says what is still missing.
    """
    built: dict[str, list[str]] = {}
    waiting: dict[str, list[KeptIndex]] = {}
    for one in kept.waiting(namespace):
        waiting.setdefault(one.namespace, []).append(one)
    for name, missing in waiting.items():
        database, _, collection = name.partition(".")
        source = Namespace(client, database, collection)
        listed = ", ".join(one.name for one in missing)
        try:
            if uuid_of(source) != missing[0].uuid:
                warn(
                    f"{name} is no longer the collection whose indexes were dropped; not built again: {listed}"
                )
            else:
                build_indexes(client, database, collection, [one.specification for one in missing])
                _compare(client, source, missing, warn)
                built[name] = [one.name for one in missing]
        except PyMongoError as error:
            raise StoreError(
                f"{name}: MongoDB answered {error_name(error)} to the building of {listed}, which are missing now; the "
                "ledger keeps them: `phimask resume` tries again, and so does `phimask finalize`"
            ) from None
        for one in missing:
            kept.forget(one)
    return built


def _compare(
    client: Client, source: Namespace, missing: Sequence[KeptIndex], warn: Callable[[str], None]
) -> None:
    now = read_indexes(client, source.database, source.collection)
    for one in missing:
        if now.get(one.name) != one.specification:
            warn(
                f"{source}: the index {one.name} is there again, but the server describes it otherwise than before"
            )


class Away:
    """The indexes of one collection while a run works on it. `warn` is told what a person should know."""

    def __init__(
        self, plan: CollectionPlan, kept: KeptIndexes, report: ReportBuilder, warn: Callable[[str], None]
    ) -> None:
        self._plan = plan
        self._kept = kept
        self._report = report
        self._warn = warn

    def take(self) -> None:
        """Drop those that masking would have to keep up."""
        plan = self._plan
        names = take_away(plan.source, plan.rules, plan.preflight.uuid, self._kept)
        if names:
            logger.info("indexes of {} that are dropped meanwhile: {}", plan.namespace, ", ".join(names))

    def bring_back(self) -> None:
        """Build them again. Raises StoreError."""
        plan, start = self._plan, time.perf_counter()
        for names in bring_back(plan.source.client, self._kept, plan.namespace, warn=self._warn).values():
            self._report.indexes_rebuilt(plan.namespace, names, time.perf_counter() - start)

    def mind(self, run: str, *, resumable: bool) -> None:
        """Of a run that ends early: what was dropped waits for whoever goes on with it, if anybody can."""
        with contextlib.suppress(PyMongoError):
            if not resumable:
                with contextlib.suppress(StoreError):
                    self.bring_back()
            missing = [one.name for one in self._kept.waiting(self._plan.namespace)]
            if missing:
                self._report.indexes_missing(self._plan.namespace, missing)
                self._warn(
                    f"{self._plan.namespace}: indexes that were dropped are not there again yet: {', '.join(missing)}; "
                    f"`phimask resume {run}`, `phimask rollback` and `phimask finalize` build them"
                )
