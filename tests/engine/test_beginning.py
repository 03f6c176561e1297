"""Two who begin at once."""

from __future__ import annotations

from typing import Any

import pytest

from phimask.engine import beginning
from phimask.errors import PreflightError
from phimask.ledger.opening import open_ledger
from phimask.ledger.runs import Runs


def test_a_run_that_another_began_and_ended_meanwhile_is_noticed(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each had found no obstacle, and one was asked whether it is to begin until the other was done."""
    bench.fill(40)
    begin = beginning.guarded

    def other(plans: Any, configuration: Any) -> bool:
        monkeypatch.setattr(beginning, "guarded", begin)
        assert bench.mask().error is None
        return begin(plans, configuration)

    monkeypatch.setattr(beginning, "guarded", other)
    with pytest.raises(PreflightError, match="has masked it already"):
        bench.mask(again=False)
    assert bench.counts() == {1: 40}
    assert Runs(open_ledger(bench.client, bench.database, "ledger")).latest(1)[0].state == "completed"
