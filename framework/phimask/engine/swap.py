"""Two collections change names: a shadow takes the name of its original, or gives it back.

MongoDB renames one collection at a time, so there is a moment between two renames in which nothing has the name. Each
step is in the ledger before it is done, and what was done is told by UUIDs alone: so whoever comes after a crash, in
any moment, finds out where things stand and goes on from there.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Final, Literal

from pymongo.errors import OperationFailure, PyMongoError
from pymongo.write_concern import WriteConcern

from phimask.engine.writers import Watch
from phimask.errors import StoreError
from phimask.ledger.swaps import Swap
from phimask.store.connect import Client
from phimask.store.definition import uuids
from phimask.store.retry import classify, terminal_error

Standing = Literal["before", "between", "after"]

_ATTEMPTS: Final = 20
_PATIENCE_SECONDS: Final = 0.1
_MAJORITY_SECONDS: Final = 5
"""How long a majority may take to have a rename; the name is missing meanwhile."""
_SETTLE_SECONDS: Final = 60
_GONE: Final = (26, 48)
"""NamespaceNotFound, NamespaceExists: somebody else has renamed meanwhile, or an attempt before did so after all."""
_SLOW: Final = "a majority of the servers was slow to follow the rename"


class NotQuiet(StoreError):
    """Somebody wrote, or may have written, to the original before it gave up its name; it has it again."""


class Names:
    """The three names of one collection's swap, and the renames between them."""

    def __init__(self, client: Client, swap: Swap) -> None:
        self._client = client
        self._swap = swap

    def standing(self) -> Standing:
        """Where things stand. Raises StoreError where others have a hand in it."""
        swap = self._swap
        have = uuids(self._client, swap.database, [swap.name, swap.shadow, swap.kept])
        holder = have.get(swap.name)
        if holder == swap.original_uuid:
            return "before"
        if holder is not None and holder == swap.shadow_uuid:
            return "after"
        if (
            holder is None
            and have.get(swap.kept) == swap.original_uuid
            and have.get(swap.shadow) == swap.shadow_uuid
        ):
            return "between"
        what = "nothing has this name" if holder is None else "a collection that phimask does not know has it"
        raise StoreError(
            f"{swap.namespace}: {what}, though its original ({swap.database}.{swap.kept}) or its shadow "
            f"({swap.database}.{swap.shadow}) should; move what is in the way elsewhere, or rename one of the two "
            "by hand, and give the command again"
        )

    def forward(self, watch: Watch) -> None:
        """The shadow takes the name. Raises NotQuiet, then all is as before."""
        swap = self._swap
        for _ in range(_ATTEMPTS):
            with self._passing():
                standing = self.standing()
                if standing == "after":
                    self._settle()
                    return
                timely = self._rename(swap.name, swap.kept) if standing == "before" else True
                if not timely or not watch.quiet_until_renamed():
                    self.back()
                    raise NotQuiet(watch.look() or _SLOW)
                self._rename(swap.shadow, swap.name)
        raise StoreError(f"{swap.namespace}: its shadow could not be swapped in, {_ATTEMPTS} times in a row")

    def back(self) -> None:
        """The original takes the name, from its shadow or from nobody."""
        swap = self._swap
        for _ in range(_ATTEMPTS):
            with self._passing():
                standing = self.standing()
                if standing == "before":
                    self._settle()
                    return
                if standing == "after":
                    self._mind_original()
                    self._rename(swap.name, swap.shadow)
                self._rename(swap.kept, swap.name)
        raise StoreError(f"{swap.namespace}: its original could not be put back, {_ATTEMPTS} times in a row")

    def _mind_original(self) -> None:
        swap = self._swap
        if uuids(self._client, swap.database, [swap.kept]).get(swap.kept) != swap.original_uuid:
            raise StoreError(
                f"{swap.namespace}: its original is not there as {swap.database}.{swap.kept} any more: there is no "
                "way back"
            )

    def _settle(self) -> None:
        """Wait until a majority has the renames: a write that changes nothing waits for all before it."""
        swap = self._swap
        collection = self._client[swap.database].get_collection(
            swap.name, write_concern=WriteConcern("majority", wtimeout=_SETTLE_SECONDS * 1000)
        )
        collection.update_one({"_id": {"$in": []}}, {"$unset": {"_": ""}})

    def drop_kept(self) -> bool:
        """Drop the original that lies under its other name; whether there was one."""
        swap = self._swap
        return self._drop(swap.kept, lambda uuid: uuid == swap.original_uuid)

    def drop_shadow(self) -> bool:
        """Drop what has the shadow's name, whoever made it: a late worker may have; whether there was any."""
        swap = self._swap
        return self._drop(swap.shadow, lambda uuid: uuid != swap.original_uuid)

    def _drop(self, name: str, wanted: Callable[[str], bool]) -> bool:
        found = uuids(self._client, self._swap.database, [name]).get(name)
        if found is None or not wanted(found):
            return False
        self._client[self._swap.database].drop_collection(name)
        return True

    def _rename(self, name: str, to: str) -> bool:
        """Whether a majority has it in time; if not, it is done all the same."""
        database = self._swap.database
        reply = self._client.admin.command(
            {
                "renameCollection": f"{database}.{name}",
                "to": f"{database}.{to}",
                "writeConcern": {"w": "majority", "wtimeout": _MAJORITY_SECONDS * 1000},
            }
        )
        return "writeConcernError" not in reply

    @contextlib.contextmanager
    def _passing(self) -> Iterator[None]:
        """After an error that passes, or that a rename had which was let through after all, all is looked at again."""
        try:
            yield
        except PyMongoError as error:
            known = isinstance(error, OperationFailure) and error.code in _GONE
            if not known and classify(error) != "transient":
                raise terminal_error(error, f"renaming {self._swap.namespace}") from None
            time.sleep(_PATIENCE_SECONDS)
