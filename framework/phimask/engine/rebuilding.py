"""What a collection is apart from its documents, given to its shadow: options, indexes, validator; and compared."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from pymongo.errors import OperationFailure, PyMongoError

from phimask.engine.control import StopSignal
from phimask.errors import Interrupted, StoreError
from phimask.planning.namespace import Namespace
from phimask.store.definition import (
    VALIDATION,
    Definition,
    create_bare,
    differences,
    judge_documents,
    read_definition,
)
from phimask.store.indexes import build_indexes, decoded, read_indexes, with_expiry
from phimask.store.retry import error_name, terminal_error

_DUPLICATE_KEY: Final = 11000
_LOOK_SECONDS: Final = 0.2
_NEVER_SECONDS: Final = 2**31 - 1


class Rebuilding:
    """Of one original, for a run's shadow."""

    def __init__(self, source: Namespace, run: str, stop: StopSignal) -> None:
        self._source = source
        self._run = run
        self._stop = stop

    def definition(self) -> Definition:
        """The original's, now. Raises StoreError."""
        found = read_definition(self._source.client, self._source.database, self._source.collection)
        if found is None:
            raise StoreError(f"{self._source} was dropped or renamed while it was masked")
        return found

    def rehearse(self, definition: Definition, shadow: Namespace) -> None:
        """Find out before hours of filling whether all that the original has can be made again: empty, it takes
        a moment."""
        where = shadow.client, shadow.database, shadow.collection
        try:
            create_bare(*where, definition)
            build_indexes(*where, definition.indexes.values())
            judge_documents(*where, definition)
            unlike = self.unlike(definition, shadow)
        except OperationFailure as error:
            unlike = [error_name(error)]
        shadow.client[shadow.database].drop_collection(shadow.collection)
        if unlike:
            raise StoreError(
                f"{self._source}: a shadow cannot be given all that it has ({', '.join(unlike)}); mask it in place "
                "(no `target:`)"
            )

    def build(self, definition: Definition, shadow: Namespace, wanted: Sequence[str]) -> None:
        """Build indexes by name; those that are there stay. The server goes on with it after a stop, and after whoever
        asked for it is gone. Raises Interrupted at a stop, and StoreError."""
        self._build(shadow, [definition.indexes[name] for name in wanted])

    def build_all(self, definition: Definition, shadow: Namespace) -> None:
        """The same of all indexes; those that delete documents delete none yet."""
        there = read_indexes(shadow.client, shadow.database, shadow.collection)
        late = definition.expiring
        for name in set(late) & set(there):  # somebody came as far as to let them
            self._expire(shadow, name, _NEVER_SECONDS)
        self._build(
            shadow,
            [
                with_expiry(index, _NEVER_SECONDS) if name in late else index
                for name, index in definition.indexes.items()
                if name not in there
            ],
        )

    def let_expire(self, definition: Definition, shadow: Namespace) -> None:
        """From now on indexes that delete documents do. Raises PyMongo's errors."""
        for name in definition.expiring:
            self._expire(shadow, name, decoded(definition.indexes[name])["expireAfterSeconds"])

    @staticmethod
    def _expire(shadow: Namespace, name: str, seconds: Any) -> None:
        changed = {"name": name, "expireAfterSeconds": seconds}
        shadow.client[shadow.database].command({"collMod": shadow.collection, "index": changed})

    def _build(self, shadow: Namespace, specifications: Sequence[bytes]) -> None:
        failed: list[Exception] = []

        def build() -> None:
            try:
                build_indexes(shadow.client, shadow.database, shadow.collection, specifications)
            except Exception as error:  # noqa: BLE001  (raised again by whoever waits)
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
        if failed and isinstance(failed[0], PyMongoError):
            raise terminal_error(failed[0], f"building the indexes of {shadow}")
        if failed:
            raise failed[0]

    def judge(self, definition: Definition, shadow: Namespace) -> int:
        """Give the shadow its validator; how many more of its documents than of the original's that refuses.

        Raises PyMongo's errors.
        """
        judge_documents(shadow.client, shadow.database, shadow.collection, definition)
        validation = definition.validation
        if "validator" not in validation or "off" in validation.values() or "warn" in validation.values():
            return 0
        refused: dict[str, Any] = {"$nor": [validation["validator"]]}
        original, made = self._source.raw(), shadow.raw()
        return int(made.count_documents(refused)) - int(original.count_documents(refused))

    def changed(self, definition: Definition) -> list[str]:
        """In what the original is not defined so any more, apart from how it judges documents, by name."""
        now = self.definition()
        judged = {**now.options, **definition.validation}
        options = {
            key: value for key, value in judged.items() if key in definition.options or key not in VALIDATION
        }
        return differences(definition, replace(now, options=options))

    def unlike(self, definition: Definition, shadow: Namespace) -> list[str]:
        """The options and indexes in which a shadow is not like the defined collection, by name."""
        found = read_definition(shadow.client, shadow.database, shadow.collection)
        return ["all"] if found is None else differences(definition, found)
