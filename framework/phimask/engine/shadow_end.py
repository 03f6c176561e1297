"""The end of a run that masked through shadows: for good, or taken back. Each collection's part may be cut off and
done again."""

from __future__ import annotations

from phimask.engine.handing_over import settle_caught_up
from phimask.engine.swap import Names
from phimask.errors import UsageError
from phimask.ledger.changes import Changes
from phimask.ledger.run_record import RunRecord
from phimask.ledger.runs import Runs
from phimask.ledger.swaps import Swap, Swaps
from phimask.store.connect import Client
from phimask.store.definition import uuids


def is_shadowed(record: RunRecord) -> bool:
    """Whether the run masks through shadows; all of its collections then do."""
    return any(pin.shadow for pin in record.pins)


class ShadowEnd:
    """One run's shadows and originals, on the deployment that `client` is of."""

    def __init__(self, client: Client, runs: Runs, record: RunRecord) -> None:
        self._client = client
        self._runs = runs
        self._run = record.id
        self._swaps = Swaps(runs.ledger, record.id)

    def originals(self) -> list[str]:
        """The namespaces of originals that are kept and can be put back or dropped."""
        return [f"{one.database}.{one.kept}" for one in self._swaps.all() if self._is_kept(one)]

    def refuse_lost(self) -> None:
        """Raises UsageError where an original is not there any more."""
        lost = [one.namespace for one in self._swaps.all() if self._is_lost(one)]
        if lost:
            raise UsageError(
                f"run {self._run}: the original of {', '.join(lost)} was dropped, and nothing brings it back"
            )

    def put_back(self) -> None:
        """Each original has its name again, and its shadow is dropped, with all that was written to it since.

        Raises StoreError.
        """
        for swap in self._swaps.all():
            names = Names(self._client, swap)
            if swap.catch_up:
                swap = settle_caught_up(self._client, self._runs, self._swaps, swap)  # noqa: PLW2901
            elif swap.step not in ("filling", "given_up"):
                self._swaps.note(swap.namespace, step="taking_back")
                names.back()
            self._give_up(names, swap)

    def finish(self) -> list[str]:
        """Originals that gave up their name are dropped, and so are shadows that did not get it; the namespaces of
        the first. Raises StoreError."""
        dropped: list[str] = []
        for swap in self._swaps.all():
            names = Names(self._client, swap)
            if swap.catch_up:
                swap = settle_caught_up(self._client, self._runs, self._swaps, swap)  # noqa: PLW2901
            elif swap.step in ("swapping", "taking_back"):
                swap = self._settled(names, swap)  # noqa: PLW2901
            if swap.step != "swapped":
                self._give_up(names, swap)
            else:
                names.drop_shadow()  # what somebody late may have made
                if names.drop_kept():
                    dropped.append(f"{swap.database}.{swap.kept}")
        return dropped

    def states(self) -> dict[str, dict[str, str | None]]:
        """By namespace, the shadow's part of the report."""
        return {
            one.namespace: {
                "state": "swapped" if one.step == "swapped" else "undone",
                "original": None if one.step == "swapped" else one.namespace,
            }
            for one in self._swaps.all()
        }

    def _settled(self, names: Names, swap: Swap) -> Swap:
        """Between two renames the original gets its name: what was begun is given up."""
        if names.standing() == "after":
            self._runs.adopt(self._run, swap.namespace, str(swap.shadow_uuid))
            return self._swaps.note(swap.namespace, step="swapped")
        names.back()
        return self._swaps.note(swap.namespace, step="filling")

    def _give_up(self, names: Names, swap: Swap) -> None:
        self._swaps.note(swap.namespace, step="given_up")
        self._runs.disown(self._run, swap.namespace)
        names.drop_shadow()
        Changes(self._runs.ledger, self._run, swap.namespace).forget()

    def _is_lost(self, swap: Swap) -> bool:
        """Whether the original gave up its name, and is not there under another."""
        away = swap.step == "swapped"
        if swap.catch_up and swap.step == "swapping":
            away = Names(self._client, swap).standing() == "after"
        return away and not self._is_kept(swap)

    def _is_kept(self, swap: Swap) -> bool:
        return uuids(self._client, swap.database, [swap.kept]).get(swap.kept) == swap.original_uuid

    def note(self) -> None:
        """The run's report says from now on what became of its originals."""
        report = self._runs.report(self._run)
        if report is not None:
            states = self.states()
            collections = [
                {**one, "shadow": {**(one.get("shadow") or {}), **states.get(one["namespace"], {})} or None}
                for one in report["collections"]
            ]
            self._runs.keep_report(self._run, {**report, "collections": collections})
