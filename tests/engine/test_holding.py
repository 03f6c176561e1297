"""How a worker stands still, and what it tells of that."""

from __future__ import annotations

import pytest

from phimask.engine import holding
from phimask.engine.holding import stand_still


class Control:
    """Has the next reasons after each wait, of which each takes a second of `clock`."""

    def __init__(self, *course: tuple[str, ...] | None) -> None:
        self._course = list(course)
        self.clock = 0.0

    @property
    def holding(self) -> tuple[str, ...]:
        return self._course[0] or ()

    @property
    def stopping(self) -> bool:
        return self._course[0] is None

    def wait(self, seconds: float) -> bool:
        assert seconds < 1
        self.clock += 1.0
        del self._course[0]
        return self.stopping


LAG, BOTH = ("replica lag",), ("replica lag", "flag file")


@pytest.mark.parametrize(
    ("course", "told"),
    [
        ([()], []),
        ([None], []),
        ([LAG, ()], [("replica lag", 1.0)]),
        ([LAG, None], [("replica lag", 1.0)]),
        (
            [LAG, LAG, BOTH, ()],
            [("replica lag", 2.0), ("replica lag", 1.0), ("flag file", 1.0)],
        ),
        ([LAG] * 25 + [()], [("replica lag", 10.0), ("replica lag", 10.0), ("replica lag", 5.0)]),
    ],
)
def test_each_reason_is_told_with_its_seconds_and_a_long_one_in_parts(
    course: list[tuple[str, ...] | None], told: list[tuple[str, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    control = Control(*course)
    monkeypatch.setattr(holding.time, "perf_counter", lambda: control.clock)
    heard: list[tuple[str, float]] = []
    stand_still(control, lambda reason, seconds: heard.append((reason, seconds)))
    assert heard == told
