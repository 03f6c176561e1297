"""The server's cache, of which transactions take a part until they are committed.

What is not committed yet cannot leave WiredTiger's cache. Past a tenth of the cache, the server has those who write
make room before they go on, and what is theirs they cannot move: batches take many times as long.

Source: WiredTiger, eviction_dirty_trigger (20 %) and eviction_updates_trigger (half of that, unless set); serverStatus,
wiredTiger.cache.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pymongo.errors import OperationFailure

from phimask.planning.hazards import Hazard, hazard
from phimask.planning.prediction import batch_bytes
from phimask.planning.shadow import sized
from phimask.store.connect import Client, has_transactions

if TYPE_CHECKING:
    from phimask.config.model import Profile
    from phimask.planning.plan import CollectionPlan

_UNCOMMITTED: Final = 0.1
"""The share of its cache past which a server makes those wait who write."""


def crowded(plan: CollectionPlan, profile: Profile) -> list[Hazard]:
    """Told where batches are transactions, and all workers' together may come to more than the server's cache is to
    keep of such. Raises PyMongo's errors."""
    client = plan.source.client
    if plan.target is not None or profile.write.guard == "none" or not has_transactions(client):
        return []
    cache = cache_bytes(client)
    if cache is None:
        return []
    _, workers, _ = plan.workers
    batch = batch_bytes(plan, profile)
    together = min(workers * batch, plan.bytes)
    if together <= _UNCOMMITTED * cache:
        return []
    fits = int(_UNCOMMITTED * cache / workers)
    return [
        hazard(
            "server-cache",
            plan.source,
            f": {workers} worker(s) with batches of up to {sized(batch)} each have up to {sized(together)} "
            f"uncommitted, and the server's cache has {sized(cache)}: past a tenth of it, all that write wait for each "
            "other; give the server more cache, "
            f"--set batch_sizer.options.bytes={max(1, fits // 1_000_000)}MB, or fewer workers",
        )
    ]


def cache_bytes(client: Client) -> int | None:
    """The most that WiredTiger's cache may take; None where nobody says: another engine, a cluster, no right to see."""
    try:
        return int(client.admin.command("serverStatus")["wiredTiger"]["cache"]["maximum bytes configured"])
    except (OperationFailure, KeyError):
        return None
