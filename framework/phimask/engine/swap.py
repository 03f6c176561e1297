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

from phimask.engine.writers import Watch, settle
from phimask.errors import StoreError
from phimask.ledger.swaps import Swap
from phimask.planning.namespace import Namespace
from phimask.planning.preflight import gone
from phimask.store.connect import Client
from phimask.store.definition import uuids
from phimask.store.retry import classify, terminal_error

Standing = Literal["before", "between", "after"]

_ATTEMPTS: Final = 20
_PATIENCE_SECONDS: Final = 0.1
_MAJORITY_SECONDS: Final = 5
"""How long a majority may take to have a rename; the name is missing meanwhile."""
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

    def over(self) -> None:
        """The shadow takes the name, and the original, which has it, is dropped, both at once."""
        swap = self._swap
        for _ in range(_ATTEMPTS):
            with self._passing():
                if self.standing() == "after":
                    self._settle()
                    return
                if self._shadow_name() != swap.shadow:
                    break
                self._rename(swap.shadow, swap.name, drop=True)
        raise StoreError(f"{swap.namespace}: its shadow could not be swapped in, {_ATTEMPTS} times in a row")

    def name_shadow(self) -> None:
        """The shadow gets the name that it is to have, whichever of its names it has, so that nothing which somebody
        has still under way for another name reaches it."""
        swap = self._swap
        for _ in range(_ATTEMPTS):
            with self._passing():
                name = self._shadow_name()
                if name == swap.shadow:
                    self._settle()
                    return
                if name is None:
                    break
                self._rename(name, swap.shadow)
        raise StoreError(f"{swap.namespace}: its shadow is not there any more")

    def lost(self) -> str | None:
        """What has become of a shadow that is not there any more; None: it is."""
        swap = self._swap
        if self._shadow_name() is not None:
            return None
        where = Namespace(self._client, swap.database, swap.shadow)
        return gone(where, swap.shadow_uuid) or f"{where} was dropped or renamed while it was masked"

    def _shadow_name(self) -> str | None:
        known = self._swap.shadow_uuid
        return next((name for name, uuid in self._shadows().items() if uuid == known), None)

    def _shadows(self) -> dict[str, str]:
        """All that have a name of the shadow's, with their UUIDs."""
        begin = self._swap.filled_as
        names = self._client[self._swap.database].list_collection_names()
        known = [one for one in names if one == begin or one.startswith(f"{begin}.")]
        return uuids(self._client, self._swap.database, known)

    def _settle(self) -> None:
        """Wait until a majority has the renames."""
        settle(self._client[self._swap.database][self._swap.name])

    def drop_kept(self) -> bool:
        """Drop the original that lies under its other name; whether there was one."""
        swap = self._swap
        return self._drop(swap.kept, lambda uuid: uuid == swap.original_uuid)

    def drop_shadow(self) -> bool:
        """Drop what has a name of the shadow's, whoever made it: a late worker may have; whether there was any."""
        original = self._swap.original_uuid
        return sum(self._drop(name, lambda uuid: uuid != original) for name in self._shadows()) > 0

    def _drop(self, name: str, wanted: Callable[[str], bool]) -> bool:
        found = uuids(self._client, self._swap.database, [name]).get(name)
        if found is None or not wanted(found):
            return False
        self._client[self._swap.database].drop_collection(name)
        return True

    def _rename(self, name: str, to: str, *, drop: bool = False) -> bool:
        """Whether a majority has it in time; if not, it is done all the same. `drop`: what has the other name."""
        database = self._swap.database
        reply = self._client.admin.command(
            {
                "renameCollection": f"{database}.{name}",
                "to": f"{database}.{to}",
                "dropTarget": drop,
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
