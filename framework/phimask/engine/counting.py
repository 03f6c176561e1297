"""How many documents there are, where others may come and go meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from phimask.planning.plan import CollectionPlan
from phimask.plugins.values import BatchBudget, Partition
from phimask.store.reading import BatchReader
from phimask.store.source import ID_ORDER

_OF_IDS: Final = BatchBudget(1000, 16_000_000)


def there_were(source: Any, deleted: Callable[[], int], wanted: int) -> int:
    """How many documents there are, with those that others deleted before or while they were counted."""
    least = deleted()
    found = int(source.count_documents({}, hint=ID_ORDER))
    return found + min(max(wanted - found, least), deleted())


def stored_in_place(plan: CollectionPlan, source: Any, quarantined: int) -> tuple[int | None, int]:
    """How many documents are stored up to the `_id` at which the run began to end, and how many lie beyond: they came
    during the run and are not masked. The quarantined are stored too, but not masked: the first count is of those that
    are. Under a query or a limit nothing can be compared: None. Raises PyMongo's errors.
    """
    if plan.scope.query is not None or plan.scope.limit is not None or plan.indexed is None:
        return None, 0
    came_after = 0
    beyond = BatchReader(source, Partition(0, plan.indexed.last_id(), None), None, {"_id": 1})
    while documents := beyond.read(_OF_IDS):
        came_after += len(documents)
        beyond.move(documents)
    return source.count_documents({}, hint=ID_ORDER) - came_after - quarantined, came_after
