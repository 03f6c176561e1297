from __future__ import annotations

import pytest

from phimask import BatchBudget, BatchCost
from phimask_plugins.batch_sizers.fixed import FixedBatchSizer


def test_nothing_moves_it() -> None:
    chosen = FixedBatchSizer({"documents": 100, "bytes": 4_000_000})
    for seconds in (0.0, 0.1, 60.0):
        assert chosen.budget() == BatchBudget(100, 4_000_000)
        chosen.record(BatchCost(100, 4_000_000, seconds))
        chosen.shrink(0.1)
    assert chosen.budget() == BatchBudget(100, 4_000_000)


def test_no_bytes_are_no_budget() -> None:
    with pytest.raises(ValueError, match="bytes is no size"):
        FixedBatchSizer({"documents": 100, "bytes": 0})
